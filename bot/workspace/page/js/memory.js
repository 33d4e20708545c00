// What the browser remembers: the persona per tab, what was read per person.

function attempt(action, otherwise) {
  try {
    return action();
  } catch {
    return otherwise; // storage may be refused (private windows); the page then only forgets
  }
}

export function rememberedPersona() {
  const asked = new URLSearchParams(location.search).get("as");
  return asked ?? attempt(() => sessionStorage.getItem("persona"), null);
}

export function rememberPersona(id) {
  attempt(() => sessionStorage.setItem("persona", id));
  const address = new URL(location.href);
  address.searchParams.set("as", id);
  history.replaceState(history.state, "", address);
}

/** Read marks of one person: conversation or thread -> ts of the newest message seen. */
export class ReadMarks {
  constructor(team, me) {
    this.key = `read/${team}/${me}`;
    this.marks = attempt(() => JSON.parse(localStorage.getItem(this.key)), null) ?? {};
  }

  get(place) {
    return this.marks[place] ?? "0";
  }

  set(place, ts) {
    if (!ts || Number(ts) <= Number(this.get(place))) return false;
    this.marks[place] = ts;
    attempt(() => localStorage.setItem(this.key, JSON.stringify(this.marks)));
    return true;
  }
}
