//! The sentences of the demo's talk: one a line, gaps in braces. `demo::sentences` fills the gaps from `demo::words`
//! and with the names of who talks. A gap with a capital begins with one.

/// What begins a conversation without asking anything.
pub(super) const OPENERS: &str = "
Morning all. A few words about {topic}.
I had a look at {topic} yesterday. It is {quality}.
Heads up: {topic} moves to {time}, because {reason}.
Does anybody mind if I {deed} {time}? It is for {topic}.
News about {topic}: {reason}.
We need two people to {deed} {time}.
I'll {deed} {time}, then {topic} is nearly done.
Reminder: {topic} needs an answer {time}.
{Topic}: {n} people have signed up so far.
Just back from {place}. About {topic}: {reason}.
{at} and I talked about {topic}. We want to {deed} first.
Quick update on {topic}. We are at {n} of {n}, and {reason}.
Good news: {topic} is going to be {quality}!
Bad news for {topic}, I'm afraid: {reason}.
I put the plan for {topic} here: {link}
The notes on {topic} are up: {link}
Somebody left {few} {oddment} in {place}.
Found {oddment} while clearing {place}. Are they ours?
We got {oddment} as a donation. Ideas are welcome.
Could somebody {deed}? I can't, because {reason}.
Whoever borrowed the {oddment}: please bring them back to {place}.
The work in {place} starts {time}, so {topic} has to wait.
Thanks to everyone who helped with {topic}. It was {quality}.
I'm in {place} until five if anybody wants to talk about {topic}.
Draft agenda for {time}: {topic}, then {topic2}, then cake.
First numbers for {topic}: {n} said yes and {n} said no.
";

pub(super) const QUESTIONS: &str = "
Who can {deed} {time}?
Has anyone had time to {deed}?
What about {topic}?
When do we need {topic}?
Is {place} free {time}?
Do we still have {oddment} in {place}?
{at} could you {deed} {time}?
{at} do you know whether {reason}?
How many people are coming to {topic}?
Do you think it is {quality}?
Should we {deed} {time} or wait?
Where do I find {topic}? Is it this one: {link}
Is it true that {reason}?
Who has the key to {place}?
Can we do that {time} instead?
Did the council say anything about {topic}?
Anything else for {topic2}?
What does it cost?
Why not {deed} at the same time?
Would {time} work for everybody?
";

pub(super) const ANSWERS: &str = "
Yes, {time}.
No, sorry, {reason}.
I can {deed} {time}.
I think so, but {reason}.
Not yet. I'll {deed} {time}.
It should be in {place}.
{at} knows more about that.
About {n}, I think.
{n}, if everybody comes.
Yes! And I can {deed} too.
Only if we {deed} first.
Let me check and come back to you.
As far as I know, yes.
It was {quality} last year, so why not.
Better {time}, because {reason}.
I asked in {place}. They said {time}.
Nobody told me. I'll ask {time}.
It's all here: {link}
I have {few} of them at home.
Sure, I'm in {place} {time} anyway.
We could {deed}, but {reason}.
The same as last time, so {n} in all.
";

pub(super) const COMMENTS: &str = "
I think it is {quality}.
That would be {quality}.
The only problem is that {reason}.
We should {deed} before that.
I can help {time}.
Last year we forgot to {deed}, and it was {quality} all the same.
Let's meet in {place} {time}.
Then I'll {deed} and you do the rest.
To be honest, I'd rather {deed}.
It depends: {reason}.
I'd say we {deed} and see.
Don't forget to {deed}.
And somebody has to {deed}.
I'll bring {oddment}.
There were {n} people in {place} when I left.
My neighbour can {deed}, she has done it before.
We have about {n} euros left for {topic}.
I agree with {at}, it is {quality}.
The way I see it, {reason}, so we have to {deed}.
If we {deed} {time}, there is enough time for {topic2}.
It looks {quality} from here.
By the way, {reason}.
I wrote it down for {topic}.
That reminds me: {topic2} is still open.
I saw {oddment} at the market, {few} for a tenner.
Fine with me, as long as we {deed}.
I'm not sure. {Topic2} was easier.
Then {topic} it is.
";

pub(super) const SHORT: &str = "
Thanks!
Thank you, {at}!
Agreed.
Yes.
No.
OK
Sounds good.
Perfect.
On it.
Me too.
Will do.
Good idea.
I'm in.
Same here.
Great!
Done.
Nice one {emoji}
Ha, true.
+1
{emoji}
{emoji}{emoji}
Not me, sorry.
Of course.
Good point.
Why not?
Really?
See you {time}.
No problem.
Same as always.
Count me in.
Oh no.
Lovely!
Hm, let me think.
{at} yes please
Well done, {at}!
Brilliant {emoji}
";

pub(super) const CLOSERS: &str = "
So we {deed} {time}. Thanks everybody!
Good, that's settled then.
I'll write it into the minutes.
Let's decide {time}.
Right, back to work.
OK, I'll {deed} and report back.
Thanks, all. More {time}.
Then see you in {place} {time}.
Done and dusted {emoji}
Great, I'll tell the others.
To be continued {time}.
I've put it on the list: {link}
";

/// With Markdown; `\\n` stands for a new line.
pub(super) const RICH: &str = "
What is left for **{topic}**:\\n\\n- {deed}\\n- {deed}\\n- {deed}
Agenda for {time}:\\n\\n1. {topic}\\n2. {topic2}\\n3. any other business
**Please read:** {topic} is {time}. We meet in {place}.
> {reason}\\n\\nThat's *exactly* what I meant.
> who can {deed}?\\n\\nI can, {time}.
The Wi-Fi in {place} is `guest-{n}`, ask at the desk for the password.
I ran it again and got\\n\\n```\\nrows read: {n}{n}\\nrows kept: {n}\\nskipped: {n}\\n```\\n\\nso {topic} is *nearly* right.
The formula in the sheet is `=SUM(B2:B{n})`, and it was **not** {quality} before.
See [the page about {topic}]({link}) and tell me what is missing.
Two things:\\n1. {deed} {time}\\n2. {deed}, because {reason}
It's *really* {quality}. Look: {link}
Ticket `{code}` is about {topic}, ticket `{code}` about {topic2}.
";
