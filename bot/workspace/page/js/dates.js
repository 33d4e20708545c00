// Dates in the viewer's time zone. "Today" is the workspace's today, whose clock a demo may move.

const LOCALE = navigator.languages.find((language) => language.startsWith("en")) ?? "en-GB";
const DAY = 86_400_000;

let offset = 0;

/** Set the workspace's clock, in milliseconds ahead of this machine's. */
export function setOffset(milliseconds) {
  offset = milliseconds;
}

export function now() {
  return new Date(Date.now() + offset);
}

const formatters = new Map();
function format(date, options) {
  const key = JSON.stringify(options);
  if (!formatters.has(key)) formatters.set(key, new Intl.DateTimeFormat(LOCALE, options));
  return formatters.get(key).format(date);
}

export const fromTs = (ts) => new Date(Number(ts) * 1000);
export const time = (date) => format(date, { hour: "numeric", minute: "2-digit" });
export const full = (date) => format(date, { dateStyle: "full", timeStyle: "medium" });
export const clock = (date) =>
  format(date, { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });

const dayNumber = (date) => Math.round(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / DAY);
export const sameDay = (one, other) => dayNumber(one) === dayNumber(other);

function relativeDay(date) {
  return { 0: "today", 1: "tomorrow", [-1]: "yesterday" }[dayNumber(date) - dayNumber(now())] ?? null;
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

function yearIfOther(date) {
  return date.getFullYear() === now().getFullYear() ? {} : { year: "numeric" };
}

export function dayDivider(date) {
  const near = relativeDay(date);
  return near
    ? capital(near)
    : format(date, { weekday: "long", day: "numeric", month: "long", ...yearIfOther(date) });
}

export function lastReply(date) {
  return `${relativeDay(date) ?? format(date, { day: "numeric", month: "short", ...yearIfOther(date) })} at ${time(date)}`;
}

function ago(date) {
  const seconds = (date - now()) / 1000;
  const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto" });
  for (const [unit, size] of [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ]) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return relative.format(Math.round(seconds), "second");
}

const TOKENS = {
  date_num: (date) =>
    [date.getFullYear(), date.getMonth() + 1, date.getDate()]
      .map((part) => String(part).padStart(2, "0"))
      .join("-"),
  date_slash: (date) => format(date, { day: "2-digit", month: "2-digit", year: "numeric" }),
  date: (date) => format(date, { day: "numeric", month: "long", year: "numeric" }),
  date_short: (date) => format(date, { day: "numeric", month: "short", year: "numeric" }),
  date_long: (date) => format(date, { weekday: "long", day: "numeric", month: "long", year: "numeric" }),
  date_pretty: (date) => relativeDay(date) ?? TOKENS.date(date),
  date_short_pretty: (date) => relativeDay(date) ?? TOKENS.date_short(date),
  date_long_pretty: (date) => relativeDay(date) ?? TOKENS.date_long(date),
  day_divider_pretty: (date) => relativeDay(date) ?? TOKENS.date_long(date),
  date_long_full: (date) => TOKENS.date_long(date),
  date_day: (date) => format(date, { weekday: "long" }),
  time,
  time_secs: (date) => format(date, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago,
};

/** Slack: `<!date^seconds^pattern^link|fallback>`; a pattern or a moment we do not know gives the fallback. */
export function slackDate(seconds, pattern, fallback) {
  const date = new Date(Number(seconds) * 1000);
  if (!Number.isFinite(Number(seconds)) || Number.isNaN(date.getTime())) return fallback;
  let known = true;
  const text = pattern.replace(/\{(\w+)\}/g, (whole, name) => {
    if (!Object.hasOwn(TOKENS, name)) known = false;
    return known ? TOKENS[name](date) : whole;
  });
  return known ? text : fallback;
}
