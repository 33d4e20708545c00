// What blocks may do where they stand: names, remembered values, telling the app.

import { confirmation } from "./confirmation.js";
import { explain, toast, unacknowledged } from "./toast.js";

/** Slack's `state.values` of the fields that stand on the surface now. */
function nested(values, keys) {
  const result = {};
  for (const [key, state] of values) {
    if (!keys.has(key)) continue;
    const cut = key.lastIndexOf("/");
    (result[key.slice(0, cut)] ??= {})[key.slice(cut + 1)] = state;
  }
  return result;
}

/** Run a shortcut: a global one, or one of a message ({callback_id, channel, message_ts}). */
export async function runShortcut(store, shortcut) {
  try {
    const answer = await store.api.post("shortcut", shortcut);
    if (answer.acknowledged === false) unacknowledged(store.app.name, answer.error);
  } catch (error) {
    toast(explain(error), { key: "shortcut" });
  }
}

/** The surface of one message or view. `where` is {channel, message_ts} or {view_id}; `values` outlives redraws. */
export function surface(store, where, values) {
  const keys = new Set();
  return {
    names: store.names,
    values,
    keys,
    inputs: [],
    state: () => nested(values, keys),
    confirm: (dialog) => confirmation(dialog, store.names),
    act: async (payload) => {
      try {
        const answer = await store.api.post("action", {
          ...where,
          ...payload,
          state: { values: nested(values, keys) },
        });
        if (answer.acknowledged === false) unacknowledged(store.app.name, answer.error);
        return answer.acknowledged !== false;
      } catch (error) {
        toast(explain(error), { key: "action" });
        return false;
      }
    },
    options: async (query) => {
      try {
        const answer = await store.api.post("options", { ...where, ...query });
        return answer.options ?? (answer.option_groups ?? []).flatMap((group) => group.options);
      } catch (error) {
        toast(explain(error), { key: "options" });
        return [];
      }
    },
  };
}
