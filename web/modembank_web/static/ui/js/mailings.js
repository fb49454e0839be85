// A new mailing: dropping a file, how far its upload is, fields put into the text, choices that show more.
(() => {
  const begin = (form) => {
    const file = form.querySelector("input[type=file]").files[0];
    if (!file) return;
    form.querySelector("[data-file-name]").textContent = file.name;
    form.requestSubmit();
  };

  const dropOf = (event) => event.target.closest?.(".drop");

  const over = (event) => {
    const drop = dropOf(event);
    if (!drop) return;
    event.preventDefault();
    drop.classList.add("over");
  };
  document.addEventListener("dragenter", over);
  document.addEventListener("dragover", over);
  document.addEventListener("dragleave", (event) => {
    const drop = dropOf(event);
    if (drop && !drop.contains(event.relatedTarget)) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    const drop = dropOf(event);
    if (!drop) return;
    event.preventDefault();
    drop.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    const input = drop.querySelector("input[type=file]");
    input.files = event.dataTransfer.files;
    begin(input.form);
  });

  document.addEventListener("htmx:beforeSend", (event) => {
    event.target.closest?.("[data-upload]")?.querySelector(".drop").classList.add("uploading");
  });
  document.addEventListener("htmx:xhr:progress", (event) => {
    const form = event.target.closest?.("[data-upload]");
    if (!form || !event.detail.lengthComputable) return;
    const percent = Math.floor((event.detail.loaded / event.detail.total) * 100);
    form.querySelector("progress").value = percent;
    form.querySelector("[data-upload-state]").textContent = percent < 100 ? `${percent} % is on the box` : "the file is looked at";
  });
  for (const failure of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(failure, (event) => {
      const form = event.target.closest?.("[data-upload]");
      if (!form) return;
      form.querySelector(".drop").classList.remove("uploading");
      form.reset();
    });
  }

  const shows = (input) => {
    for (const other of input.form.querySelectorAll("[data-shows]")) {
      if (other !== input && other.name !== input.name) continue;
      const part = document.getElementById(other.dataset.shows);
      if (part) part.hidden = !other.checked;
    }
  };

  const insert = (chip) => {
    const area = document.getElementById(chip.dataset.into);
    area.setRangeText(chip.dataset.inserts, area.selectionStart, area.selectionEnd, "end");
    area.focus();
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-upload] input[type=file]")) begin(event.target.form);
    if (event.target.matches("[data-shows]")) shows(event.target);
  });
  document.addEventListener("click", (event) => {
    const chip = event.target.closest?.("[data-inserts]");
    if (chip) insert(chip);
  });

  // A part that is swapped while a dialog of it is open shows the fresh one; what was refused is told behind it.
  let reopened = "";
  document.addEventListener("htmx:beforeSwap", (event) => {
    reopened = event.detail.target?.querySelector?.("dialog[open]")?.id ?? "";
  });
  document.addEventListener("htmx:afterSwap", () => {
    const dialog = document.getElementById(reopened);
    if (dialog && !dialog.open) dialog.showModal();
    reopened = "";
  });
  document.addEventListener("htmx:responseError", (event) => event.target.closest?.("dialog[open]")?.close());

  const zones = () => {
    for (const field of document.querySelectorAll("input[data-zone]")) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
  };
  document.addEventListener("DOMContentLoaded", zones);
  document.addEventListener("htmx:afterSettle", zones);
})();
