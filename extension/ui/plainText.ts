/**
 * Makes text plain that others wrote: the names, reasons and paths of a folder may hold what VS Code gives a meaning. Pure.
 *
 * What it makes of a text, as its sources have it (1.100 to 1.139):
 * - messages, and the prompts of input boxes: `[label](command:…)` is a link, one click from running (base/common/linkedText.ts);
 * - labels, descriptions and details of a quick pick, prompts, the status bar: `$(name)` is an icon (base/browser/ui/iconLabel);
 * - the hover of a quick pick's description and detail, a `MarkdownString`: Markdown, whose images are fetched from anywhere;
 * - a tooltip that is a string, the rows of a tree, a tab: as it stands, with directions and line breaks.
 *
 * One text is plain for all of them, so that none can be taken for another.
 */

/** What stands for a character that nobody can see. */
const MARK = "\ufffd";
const BREAK = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/;
/** Controls, overrides of direction, tags, halves of a character; not what joins the letters of a script or the parts of an emoji. */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}]/gu;
/** `](` makes a link or an image, `][` and `]:` one whose address stands elsewhere. */
const LINK = /\](?=[([:])/g;
const ICON = /\$(?=\()/g;

/** On one line, of at most `limit` characters and what was put between some of them. */
export const plainLine = (text: string, limit: number): string => plainLines(cut(text, limit).split(BREAK)).join(" ");

/** Lines stay lines. */
export const plainBlock = (text: string, limit: number): string => plainLines(cut(text, limit).split(BREAK)).join("\n");

/** An entry of a log: no line but its first can be taken for an entry. Links and icons mean nothing there. */
export const logEntry = (text: string, limit: number): string => cut(text, limit).split(BREAK).map(seen).join("\n    ");

/** First of all, so that a text of any size costs no more than this. */
export const cut = (text: string, limit: number): string => (text.length > limit ? `${text.slice(0, limit - 1)}…` : text);

const plainLines = (lines: string[]): string[] => lines.map((line) => seen(line).replace(LINK, "] ").replace(ICON, "$ "));

const seen = (line: string): string => line.replaceAll("\t", " ").replace(UNSEEN, MARK);
