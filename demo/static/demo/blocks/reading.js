function ReadingBlock(runtime, element) {
  "use strict";
  const find = (selector) => element.querySelector(selector);

  find(".sizes").addEventListener("change", async (event) => {
    const card = find(".reading");
    const before = card.dataset.textSize;
    card.dataset.textSize = event.target.value;
    find(".trouble").textContent = find(".reading-saved").textContent = "";
    try {
      await runtime.call(element, "choose_size", { choice: event.target.value });
      find(".reading-saved").textContent = "Text size saved for everything you read here.";
    } catch (error) {
      card.dataset.textSize = before;
      find(`input[value="${CSS.escape(before)}"]`).checked = true;
      find(".trouble").textContent = error.message;
    }
  });
}
