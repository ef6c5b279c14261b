// The emoji that bots use most, by Slack's names; any other name stays text.

const TABLE = `
alarm_clock ⏰|arrow_right ➡️|arrow_forward ▶️|arrows_counterclockwise 🔄|ballot_box_with_check ☑️|bell 🔔|bank 🏦
bar_chart 📊|book 📖|books 📚|bookmark 🔖|boom 💥|bug 🐛|bulb 💡|bust_in_silhouette 👤|busts_in_silhouette 👥|calendar 📅|card_index 📇
chart_with_upwards_trend 📈|clipboard 📋|clock1 🕐|clock3 🕒|clock9 🕘|closed_lock_with_key 🔐|credit_card 💳|construction 🚧
cyclone 🌀|dart 🎯|e-mail 📧|email 📧|exclamation ❗|eye 👁️|eyes 👀|fire 🔥|floppy_disk 💾|gear ⚙️|green_circle 🟢
grey_question ❔|hammer_and_wrench 🛠️|hand 🖐️|heart ❤️|heavy_check_mark ✔️|heavy_minus_sign ➖|heavy_plus_sign ➕|hourglass ⌛
hourglass_flowing_sand ⏳|inbox_tray 📥|information_source ℹ️|key 🔑|label 🏷️|large_blue_circle 🔵|large_green_circle 🟢|large_orange_circle 🟠
large_purple_circle 🟣|large_red_circle 🔴|large_yellow_circle 🟡|leftwards_arrow_with_hook ↩️|link 🔗|lock 🔒|mag 🔍|memo 📝
moneybag 💰|mute 🔇|nerd_face 🤓|new 🆕|no_bell 🔕|no_entry ⛔|no_entry_sign 🚫|octagonal_sign 🛑|ok 🆗|ok_hand 👌|old_key 🗝️
open_file_folder 📂|orange_circle 🟠|outbox_tray 📤|package 📦|page_facing_up 📄|party_popper 🎉|pencil 📝|pencil2 ✏️|point_right 👉
pray 🙏|pushpin 📌|question ❓|raised_hand ✋|recycle ♻️|red_circle 🔴|repeat 🔁|robot_face 🤖|rocket 🚀|rotating_light 🚨
scroll 📜|see_no_evil 🙈|shield 🛡️|sleeping 😴|slightly_smiling_face 🙂|smile 😄|sos 🆘|sparkles ✨|speech_balloon 💬|star ⭐|stop_sign 🛑
stopwatch ⏱️|tada 🎉|ticket 🎫|admission_tickets 🎟️|thinking_face 🤔|thumbsdown 👎|thumbsup 👍|+1 👍|-1 👎|timer_clock ⏲️|traffic_light 🚥
triangular_flag_on_post 🚩|unlock 🔓|warning ⚠️|wastebasket 🗑️|watch ⌚|wave 👋|white_check_mark ✅|white_circle ⚪|black_circle ⚫
white_large_square ⬜|wrench 🔧|x ❌|yellow_circle 🟡|zap ⚡|zzz 💤|negative_squared_cross_mark ❎|heavy_exclamation_mark ❗|detective 🕵️|electric_plug 🔌`;

const EMOJI = new Map(
  TABLE.split(/[|\n]/)
    .filter(Boolean)
    .map((pair) => pair.split(" ")),
);

/** The character for a name such as "key", or the name between colons as it was. */
export const emoji = (name) => EMOJI.get(name) ?? `:${name}:`;

/** `text` with the names that we know turned into characters. */
export const withEmoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (_, name) => emoji(name));
