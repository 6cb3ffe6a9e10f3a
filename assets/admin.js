// The backoffice with a script: ticking all, a warning before typed text is lost, rows offered while a reference is
// typed, and keys. Nothing here is needed: every page works without it.
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// Tick all on the page; with Shift, all between two.
const head = one('[data-all]');
if (head) {
  const boxes = all('[name=ids]');
  let last = null;
  const show = () => {
    const ticked = boxes.filter(box => box.checked).length;
    head.checked = ticked === boxes.length;
    head.indeterminate = ticked > 0 && ticked < boxes.length;
  };
  head.hidden = false;
  head.addEventListener('change', () => { boxes.forEach(box => { box.checked = head.checked; }); show(); });
  boxes.forEach((box, place) => box.addEventListener('click', event => {
    if (event.shiftKey && last !== null) {
      const [from, to] = [last, place].sort((a, b) => a - b);
      boxes.slice(from, to + 1).forEach(other => { other.checked = box.checked; });
    }
    last = place;
    show();
  }));
}

// A form that was changed isn't left unasked.
const form = one('[data-guard]');
if (form) {
  const state = () => new URLSearchParams(new FormData(form)).toString();
  const before = state();
  let leaving = false;
  form.addEventListener('submit', () => { leaving = true; });
  addEventListener('beforeunload', event => { if (!leaving && state() !== before) event.preventDefault(); });
  addEventListener('pageshow', () => { leaving = false; });
}

// What a reference may be, while it is typed.
all('[data-lookup]').forEach((input, place) => {
  const list = document.createElement('datalist');
  const output = input.id && one(`output[for="${input.id}"]`);
  list.id = `offers-${place}`;
  input.after(list);
  input.setAttribute('list', list.id);
  let timer, asked = 0;
  input.addEventListener('input', () => {
    const chosen = [...list.options].find(option => option.value === input.value);
    if (output) output.textContent = chosen ? chosen.label : '';
    if (chosen) return;
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const turn = ++asked;
      const answer = await fetch(`/admin/${input.dataset.lookup}/lookup?q=${encodeURIComponent(input.value)}`).catch(() => null);
      if (!answer?.ok || turn !== asked) return;
      const offers = await answer.json();
      list.replaceChildren(...offers.map(({ id, label }) => {
        const option = document.createElement('option');
        option.value = id;
        option.label = label;
        option.textContent = label;
        return option;
      }));
    }, 150);
  });
});

// Keys: / searches, s saves, j and k go down and up the rows.
addEventListener('keydown', event => {
  const typing = event.target.matches('input, textarea, select, [contenteditable]');
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Escape' && typing) return event.target.blur();
  if (typing) return;
  const rows = all('[data-row]');
  const at = rows.indexOf(document.activeElement);
  const act = {
    '/': () => (one('#q') || one('#everywhere'))?.focus(),
    s: () => one('[data-save]')?.click(),
    j: () => rows[Math.min(at + 1, rows.length - 1)]?.focus(),
    k: () => rows[Math.max(at - 1, 0)]?.focus(),
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});
