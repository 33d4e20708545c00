// The emoji names in common use. A name we do not know is shown as it is written.

const NAMES = {
  "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", wave: "👋", ok_hand: "👌", clap: "👏", pray: "🙏", raised_hands: "🙌",
  raised_hand: "✋", hand: "✋", point_right: "👉", point_left: "👈", point_up: "☝️", point_down: "👇", muscle: "💪", handshake: "🤝", writing_hand: "✍️", eyes: "👀",
  smile: "😄", smiley: "😃", grinning: "😀", slightly_smiling_face: "🙂", blush: "😊", wink: "😉", joy: "😂", thinking_face: "🤔", thinking: "🤔",
  sob: "😭", cry: "😢", confused: "😕", worried: "😟", neutral_face: "😐", sunglasses: "😎", heart_eyes: "😍", sweat_smile: "😅", tada: "🎉", partying_face: "🥳",
  shrug: "🤷", face_palm: "🤦", bow: "🙇", robot_face: "🤖", technologist: "🧑‍💻", busts_in_silhouette: "👥", bust_in_silhouette: "👤",
  heart: "❤️", broken_heart: "💔", star: "⭐", sparkles: "✨", fire: "🔥", rocket: "🚀", zap: "⚡", bulb: "💡", boom: "💥", "100": "💯",
  white_check_mark: "✅", heavy_check_mark: "✔️", ballot_box_with_check: "☑️", x: "❌", negative_squared_cross_mark: "❎", no_entry: "⛔", no_entry_sign: "🚫",
  warning: "⚠️", exclamation: "❗", question: "❓", grey_question: "❔", information_source: "ℹ️", rotating_light: "🚨", construction: "🚧", octagonal_sign: "🛑",
  large_green_circle: "🟢", large_yellow_circle: "🟡", large_orange_circle: "🟠", red_circle: "🔴", large_blue_circle: "🔵", white_circle: "⚪", black_circle: "⚫",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", alarm_clock: "⏰", stopwatch: "⏱️", clock1: "🕐", clock3: "🕒", clock9: "🕘", calendar: "📆", date: "📅", spiral_calendar_pad: "🗓️",
  lock: "🔒", unlock: "🔓", key: "🔑", old_key: "🗝️", closed_lock_with_key: "🔐", shield: "🛡️", scales: "⚖️", passport_control: "🛂", identification_card: "🪪",
  memo: "📝", pencil: "📝", pencil2: "✏️", page_facing_up: "📄", page_with_curl: "📃", scroll: "📜", books: "📚", book: "📖", open_book: "📖", bookmark: "🔖", bookmark_tabs: "📑", clipboard: "📋", file_folder: "📁", open_file_folder: "📂",
  mag: "🔍", mag_right: "🔎", link: "🔗", paperclip: "📎", pushpin: "📌", round_pushpin: "📍", label: "🏷️", package: "📦", inbox_tray: "📥", outbox_tray: "📤", email: "📧", envelope: "✉️", incoming_envelope: "📨", bell: "🔔", no_bell: "🔕", speech_balloon: "💬", thought_balloon: "💭", mega: "📣", loudspeaker: "📢",
  computer: "💻", desktop_computer: "🖥️", gear: "⚙️", wrench: "🔧", hammer: "🔨", hammer_and_wrench: "🛠️", toolbox: "🧰", bug: "🐛", test_tube: "🧪", electric_plug: "🔌", floppy_disk: "💾", file_cabinet: "🗄️", card_file_box: "🗃️", wastebasket: "🗑️",
  moneybag: "💰", credit_card: "💳", receipt: "🧾", bar_chart: "📊", chart_with_upwards_trend: "📈", chart_with_downwards_trend: "📉", airplane: "✈️", hotel: "🏨", taxi: "🚕", palm_tree: "🌴", beach_with_umbrella: "🏖️", coffee: "☕", house: "🏠", office: "🏢", hospital: "🏥", face_with_thermometer: "🤒",
  arrow_right: "➡️", arrow_left: "⬅️", arrow_up: "⬆️", arrow_down: "⬇️", arrows_counterclockwise: "🔄", leftwards_arrow_with_hook: "↩️", repeat: "🔁", fast_forward: "⏩", black_right_pointing_triangle: "▶️", heavy_plus_sign: "➕", heavy_minus_sign: "➖", new: "🆕", ok: "🆗", one: "1️⃣", two: "2️⃣", three: "3️⃣", raising_hand: "🙋", ticket: "🎫", seedling: "🌱", earth_africa: "🌍", globe_with_meridians: "🌐",
};

export const EMOJI = /:([a-z0-9_+'-]+):(?::skin-tone-[2-6]:)?/;

/** The character for a name, or null. */
export function emoji(name) {
  return Object.hasOwn(NAMES, name) ? NAMES[name] : null;
}

/** Plain text with `:names:` replaced by characters. */
export function withEmoji(text) {
  return text.replace(new RegExp(EMOJI, "g"), (whole, name) => emoji(name) ?? whole);
}
