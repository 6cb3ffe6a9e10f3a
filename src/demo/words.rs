//! The words that fill the gaps of the demo's sentences, the common ones first: the further down a list, the rarer
//! in the talk. Called by `demo::phrases`.

/// What a conversation is about.
pub(super) const TOPICS: &str = "
    the newsletter, the open day, the budget, the garden, the new website, the spring fair, the hall booking,
    the volunteer rota, the annual meeting, the kitchen, the grant application, the choir concert, the bike workshop,
    the library shelves, the roof repair, the members' survey, the youth club, the coffee morning, the heating,
    the membership list, the food bank run, the film night, the poster, the translation, the safety check,
    the bees, the quiz night, the photo exhibition, the tool library, the insurance, the repair café, the welcome pack,
    the car park, the sound system, the first-aid course, the recycling point, the summer camp, the lease,
    the harvest supper, the playground, the mural, the seed swap, the accounts, the storage room, the minibus,
    the computer course, the Christmas market, the fire alarm, the donation boxes, the reading group, the clothes swap,
    the guest speakers, the rain barrels, the door code, the language café, the puppet theatre, the boundary hedge,
    the orchard, the pottery kiln, the wheelchair ramp, the jumble sale, the archive, the weather vane,
    the oral history project, the solar panels, the drainage survey, the beekeepers' licence, the ukulele evening";

/// What somebody does, did or should do: an infinitive.
pub(super) const DEEDS: &str = "
    book the hall, send the reminder, update the spreadsheet, call the council, print the flyers, check the numbers,
    write to the members, order the paint, talk to the school, bring the keys, tidy the notes, ask the neighbours,
    move the date, share the photos, fix the form, water the tomatoes, count the chairs, draft a letter,
    collect the tickets, find a second driver, clear the table, test the microphone, post the minutes,
    get three quotes, put up the signs, wash the aprons, charge the batteries, sort the donations, renew the permit,
    pick up the cheese, borrow a ladder, check the smoke detectors, translate the leaflet, pay the invoice,
    sweep the yard, repot the basil, mend the zip on the tent, label the boxes, thank the sponsors, close the gate,
    measure the doorway, replace the fuse, proofread the programme, scan the receipts, prune the pear trees,
    descale the urn, sharpen the secateurs, recalibrate the scales, laminate the map, grease the hinges";

/// Why, or what is the matter: a clause.
pub(super) const REASONS: &str = "
    the deadline is close, half of us are away, the printer is out of toner, nobody has answered yet,
    the room is taken, we have more people than last year, the weather looks bad, the price went up,
    the key is still missing, the last one went so well, the form is confusing, it was in the minutes,
    the school is on holiday, the old list was wrong, the supplier is late, there was a mix-up with the dates,
    the lift is broken, two people fell ill, the council changed the rules, we promised it, it saves us a trip,
    the light is better then, the van is at the garage, the projector needs a new cable, it clashes with the market,
    the bank wants two signatures, the neighbours complained about the noise, the oven only has one working shelf,
    we ran out of envelopes, the paint needs a day to dry, the trains aren't running, the archive is closed,
    the caretaker retires in June, the ferry was cancelled, the warranty has lapsed, a pipe burst upstairs,
    the swallows are nesting there, the auditor asked for it, the hinge snapped, somebody sat on the viola";

pub(super) const PLACES: &str = "
    the main hall, the kitchen, the office, the library, the garden, the workshop, the back room, the front desk,
    the car park, the school, the shed, the café, the town hall, the storage room, the stage, the cellar, the yard,
    the greenhouse, the bus stop, the market square, the cloakroom, the church, the station, the river path,
    the allotments, the clinic, the gallery, the attic, the boathouse, the bakery, the old mill, the bandstand,
    the observatory, the tram depot, the walled garden, the ropewalk, the lock-keeper's cottage";

pub(super) const TIMES: &str = "
    tomorrow, on Friday, next week, on Saturday, tonight, on Monday, this afternoon, before lunch, on Thursday,
    by the end of the month, at ten, on Tuesday, after the meeting, on Sunday, at half past six, in the morning,
    on Wednesday, at the weekend, in two weeks, first thing, at noon, before the holidays, in March, in October,
    after the school run, at a quarter to eight, at dusk, on the bank holiday";

pub(super) const QUALITIES: &str = "
    good, fine, great, late, ready, easy, better, difficult, perfect, expensive, urgent, lovely, complicated, strange,
    brilliant, cheaper, impossible, risky, tedious, worthwhile, splendid, premature, wobbly, delightful, unwieldy,
    serendipitous, lopsided, soporific, impeccable, threadbare";

/// Things that come up once in a while, in the plural.
pub(super) const ODDMENTS: &str = "
    umbrellas, folding chairs, jam jars, marbles, extension leads, bicycle pumps, teapots, lanterns, clothes pegs,
    jigsaw puzzles, picture frames, wellington boots, table cloths, ping-pong balls, garden gnomes, cassette tapes,
    typewriters, tambourines, sundials, quinces, theodolites, marionettes, accordions, hammocks, trellises, decanters,
    kaleidoscopes, snowshoes, thimbles, weathercocks, barometers, bobbins, abacuses, castanets, parasols, xylophones,
    semaphore flags, pomegranates, cartridges, gaiters, zithers, lobster pots, metronomes, slide rules, doilies,
    ocarinas, bunsen burners, croquet mallets, fossils, gramophones, hourglasses, inkwells, juniper bushes, kites,
    looms, mandolins, nutcrackers, origami cranes, periscopes, quilts, rivets, stencils, toboggans, ukuleles,
    velvet curtains, wheelbarrows, yo-yos, sextants, astrolabes, bagpipes, chandeliers, didgeridoos, epaulettes,
    figurines, galoshes, harmonicas, icicle lights, jodhpurs, kazoos, lorgnettes, monocles, nesting boxes, oboes,
    pantographs, quoits, rucksacks, spinning tops, tuning forks, urns, vuvuzelas, windsocks, yardsticks, zoetropes";

pub(super) const PATHS: &str = "
    minutes, rota, budget, programme, photos, map, survey, calendar, handbook, safety, recipes, timetable, tickets,
    press, sponsors, accessibility, archive, statutes, playlists, seeds";

pub(super) const EMOJI: &str = "👍, 🎉, 😀, ❤️, 🙏, 😂, 👏, 🙂, ☕, 🌱, 🚲, 🍰, 🔥, 🤔, 🥳, 🐝, 📚, 🎶, 🌧️, 🧀";

/// What people answer a message with, the usual ones first.
pub(super) const REACTIONS: &str = "👍, ❤️, 🎉, 😂, 🙏, 👏, 😮, 👀, 🚀, ☕";
