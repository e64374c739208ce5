/** Texts that a hostile folder may hold, and what VS Code would make of a text: its own patterns. */

/** A command that a link, an icon that pretends, an image that calls home, a line that pretends to be another, letters turned round. */
export const ATTACKS = [
  "[Open the log](command:workbench.extensions.installExtension?%5B%22evil.vsix%22%5D)",
  'Paused: [see why](https://example.org/a "a title") [or](file:///etc/passwd)',
  "![](https://example.org/pixel.png) and ![a][b] [b]: https://example.org/b.png",
  "$(error) $(loading~spin) failed $(check)",
  "first\n[second](command:evil)\r\n2026-01-01 00:00:00.000 [info] Trainer 1 is yours\u2028third\u0085fourth",
  "\u202egpj.exe\u202c \u2066hidden\u2069 \u200f\u200e\ufeff\u{e0041}",
  "bell\u0007 escape\u001b[31m null\u0000 tab\there delete\u007f \ud800",
  "[a]\u202e(command:evil) [b]\u0000(command:evil) [c]\n(command:evil) $\u200b(error)",
  `${"long ".repeat(100_000)}[x](command:evil)`,
];

/** vs/base/common/linkedText.ts: messages, prompts of inputs. */
const LINKED_TEXT = /\[([^\]]+)\]\(((?:https?:\/\/|command:|file:)[^)\s]+)(?: (["'])(.+?)(\3))?\)/i;
/** vs/base/browser/ui/iconLabel/iconLabels.ts: picks, prompts, the status bar. */
const ICON = /\$\(([A-Za-z0-9-]+(?:~[A-Za-z]+)?)\)/;
/** Markdown (CommonMark 6.3, 6.4, 4.7), as hovers of picks render it: inline links and images, by reference, and what is referred to. */
const MARKDOWN = /\]\(|\]\[|\]:/;
const UNSEEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e0fff}\p{Cs}]/u;

/** What VS Code would see in the text that is not text; null: nothing. */
export function meaningIn(text: string): string | null {
  for (const pattern of [LINKED_TEXT, ICON, MARKDOWN, UNSEEN]) {
    const found = pattern.exec(text);
    if (found) return `${JSON.stringify(found[0])} in ${JSON.stringify(text.slice(0, 200))}`;
  }
  return null;
}
