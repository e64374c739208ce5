/** A titled part of a page: pickers, a line of readings, the drawing, and the same as a table for who cannot see it. */
import { h, icon } from "./dom";

export interface Table {
  head: string[];
  rows: string[][];
}

/** Said by a screen reader when the keyboard's cursor moves; one for the page. */
const live = h("div", { class: "visually-hidden", "aria-live": "polite" });

export const announce = (text: string): void => {
  if (!live.isConnected) document.body.append(live);
  live.textContent = text;
};

export class Panel {
  readonly element: HTMLElement;
  /** Right end of the title row: pickers go here. */
  readonly tools = h("div", { class: "tools" });
  readonly readings = h("div", { class: "readings" });
  readonly body = h("div", { class: "panel-body" });
  /** On the screen, so worth data. */
  visible = false;
  private readonly tableHost = h("div", { class: "table-host", tabindex: "0", role: "region", hidden: true });
  private readonly tableButton: HTMLButtonElement;
  private readonly heading: HTMLElement;

  /** `table` is asked for while it is shown. `onVisible`: the panel came into sight or left it. */
  constructor(
    readonly id: string,
    title: string,
    private readonly table: () => Table,
    onVisible: () => void,
  ) {
    this.tableButton = h(
      "button",
      {
        class: "icon-button",
        title: "Show as Table",
        "aria-label": `${title}: show as table`,
        "aria-pressed": "false",
        onclick: () => this.toggleTable(),
      },
      icon("table"),
    );
    this.heading = h("h2", {}, title);
    this.element = h(
      "section",
      { class: "panel", id, "aria-label": title },
      h("header", {}, this.heading, this.tools, this.tableButton),
      this.readings,
      this.body,
      this.tableHost,
    );
    this.tableHost.setAttribute("aria-label", `${title}, as a table`);
    new IntersectionObserver((entries) => {
      const visible = entries.at(-1)!.isIntersecting;
      if (visible === this.visible) return;
      this.visible = visible;
      onVisible();
    }).observe(this.element);
  }

  setTitle(text: string, meaning: string): void {
    this.heading.textContent = text;
    this.heading.title = meaning;
  }

  /** The picker says what is shown: it stands in the title's place. */
  titledBy(picker: HTMLElement): void {
    this.heading.replaceWith(picker);
  }

  /** What the drawing shows, in words. */
  set summary(text: string) {
    this.body.querySelector("[role=img]")?.setAttribute("aria-label", text);
  }

  /** To be called after the data changed. */
  refreshTable(): void {
    if (this.tableHost.hidden) return;
    const { head, rows } = this.table();
    this.tableHost.replaceChildren(
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...head.map((text) => h("th", { scope: "col" }, text)))),
        h(
          "tbody",
          {},
          ...rows.map((row) => h("tr", {}, ...row.map((text, i) => (i === 0 ? h("th", { scope: "row" }, text) : h("td", {}, text))))),
        ),
      ),
    );
  }

  private toggleTable(): void {
    const show = this.tableHost.hidden;
    this.tableHost.hidden = !show;
    this.body.hidden = show;
    this.tableButton.setAttribute("aria-pressed", String(show));
    this.refreshTable();
  }
}
