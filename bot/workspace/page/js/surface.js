// What blocks may do where they stand: names, remembered values, telling the app.

import { confirmation } from "./confirmation.js";
import { explain, toast, unacknowledged } from "./toast.js";

function nested(values) {
  const result = {};
  for (const [key, state] of values) {
    const cut = key.lastIndexOf("/");
    (result[key.slice(0, cut)] ??= {})[key.slice(cut + 1)] = state;
  }
  return result;
}

/** Run a shortcut: a global one, or one of a message ({callback_id, channel, message_ts}). */
export async function runShortcut(store, shortcut) {
  try {
    const answer = await store.api.post("shortcut", shortcut);
    if (answer.acknowledged === false) unacknowledged(store.app.name);
  } catch (error) {
    toast(explain(error), { key: "shortcut" });
  }
}

/** The surface of one message or view. `where` is {channel, message_ts} or {view_id}; `values` outlives redraws. */
export function surface(store, where, values) {
  return {
    names: store.names,
    values,
    inputs: [],
    state: () => nested(values),
    confirm: (dialog) => confirmation(dialog, store.names),
    act: async (payload) => {
      try {
        const answer = await store.api.post("action", {
          ...where,
          ...payload,
          state: { values: nested(values) },
        });
        if (answer.acknowledged === false) unacknowledged(store.app.name);
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
