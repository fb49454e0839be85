// What pages share: menus and dialogs that open and close, notices, the theme, times in the reader's own zone.
(() => {
  const brief = (at) => {
    const now = new Date();
    if (at.toDateString() === now.toDateString()) return { hour: "2-digit", minute: "2-digit" };
    return { day: "numeric", month: "short", ...(at.getFullYear() === now.getFullYear() ? {} : { year: "numeric" }) };
  };
  const styles = {
    short: { day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" },
    time: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
    full: { day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" },
  };

  const localTimes = (root) => {
    for (const time of root.querySelectorAll("time[data-style]")) {
      const at = new Date(time.dateTime);
      time.title = at.toISOString();
      time.textContent = new Intl.DateTimeFormat(document.documentElement.lang + "-GB", { ...(styles[time.dataset.style] ?? brief(at)), hourCycle: "h23" }).format(at);
      delete time.dataset.style;
    }
  };

  const show = (id, open) => {
    const part = document.getElementById(id);
    if (!part) return;
    if (part instanceof HTMLDialogElement) {
      if (open && !part.open) part.showModal();
      else if (!open) part.close();
      return;
    }
    const openers = [...document.querySelectorAll(`[data-opens="${CSS.escape(id)}"]`)];
    const inside = part.contains(document.activeElement);
    part.classList.toggle("open", open);
    for (const opener of openers) opener.setAttribute("aria-expanded", String(open));
    for (const behind of document.querySelectorAll("main, .top")) behind.inert = open; // nobody tabs to what it covers
    if (open) part.querySelector("a, button")?.focus();
    else if (inside) openers[0]?.focus();
  };

  const switchTheme = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* it lasts as long as the page */ }
  };

  // What a button would send waits until the dialog that it shares with others is agreed to.
  let agreed = null;
  document.addEventListener("htmx:confirm", (event) => {
    const { asks, about } = event.detail.elt.dataset;
    if (!asks) return;
    event.preventDefault();
    agreed = event.detail.issueRequest;
    document.querySelector(`#${CSS.escape(asks)} [data-about-here]`).textContent = about ?? "";
    show(asks, true);
  });

  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("[data-opens], [data-closes], [data-dismiss], [data-theme-switch], [data-copies], [data-agrees]");
    if (!target) return;
    if ("agrees" in target.dataset) agreed?.(true);
    if (target.dataset.opens) show(target.dataset.opens, true);
    if (target.dataset.closes) show(target.dataset.closes, false);
    if ("dismiss" in target.dataset) target.closest(".notice")?.remove();
    if ("themeSwitch" in target.dataset) switchTheme();
    if (target.dataset.copies) {
      navigator.clipboard?.writeText(document.getElementById(target.dataset.copies).textContent.trim());
      target.classList.add("copied");
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.querySelector(".side.open")) show("side", false);
  });

  matchMedia("(max-width: 52rem)").addEventListener("change", () => {
    if (document.querySelector(".side.open")) show("side", false);
  });

  const say = (text) => {
    const box = document.getElementById("notices");
    if (!box || box.querySelector("[data-unreachable]")) return;
    const notice = document.createElement("div");
    notice.className = "notice warn";
    notice.dataset.unreachable = "";
    notice.textContent = text;
    box.append(notice);
    setTimeout(() => notice.remove(), 8000);
  };

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    if (xhr.status < 400 || xhr.getResponseHeader("Content-Type")?.startsWith("text/html")) return;
    event.detail.shouldSwap = false; // no page of the box says that: a part of one must not give way to it
    say(`The box could not do that (${xhr.status}). Try again in a moment.`);
  });
  document.addEventListener("htmx:sendError", () => say("The box did not answer. Nothing was changed; try again."));
  document.addEventListener("htmx:timeout", () => say("The box took too long to answer. Look whether it was done before you try again."));
  document.addEventListener("htmx:afterSettle", (event) => localTimes(event.detail.elt.parentElement ?? document));
  document.addEventListener("DOMContentLoaded", () => localTimes(document));
})();

// What a form is told of its writer: the time zone; and buttons that put another text into a field.
(() => {
  const tellZone = (root) => {
    for (const field of root.querySelectorAll("[data-zone]")) field.value = String(new Date().getTimezoneOffset());
  };
  document.addEventListener("DOMContentLoaded", () => tellZone(document));
  document.addEventListener("htmx:afterSettle", (event) => tellZone(event.detail.elt.parentElement ?? document));
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-fills]");
    if (!button) return;
    const field = document.getElementById(button.dataset.fills);
    field.value = button.dataset.with;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  });
})();
