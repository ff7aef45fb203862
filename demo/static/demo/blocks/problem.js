function ProblemBlock(runtime, element) {
  "use strict";
  const find = (selector) => element.querySelector(selector);
  const card = find(".problem");
  const form = find("form");
  const button = find("[type=submit]");
  const hint = find(".hint-open");

  function show(standing) {
    card.dataset.correct = standing.correct;
    card.dataset.over = standing.over;
    card.dataset.earned = standing.earned;
    find("fieldset").disabled = standing.over;
    button.hidden = standing.over;
    if (hint) hint.hidden = standing.over || standing.hint !== "";
    find(".hint").textContent = standing.hint;
    find(".earned").textContent = standing.earned;
    find(".attempts").textContent = standing.attempts;
    find(".verdict").textContent = standing.verdict;
    find(".explanation").textContent = standing.explanation;
  }

  hint?.addEventListener("click", async () => {
    find(".trouble").textContent = "";
    try {
      show(await runtime.call(element, "show_hint", {}));
    } catch (error) {
      find(".trouble").textContent = error.message;
    }
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    find(".trouble").textContent = find(".verdict").textContent = "";
    try {
      const standing = await runtime.call(element, "submit", { choice: new FormData(form).get("choice") });
      show(standing);
      runtime.notify("grade", standing);
      if (standing.over) find(".result").focus(); // the button that had the focus is gone
    } catch (error) {
      find(".trouble").textContent = error.message;
    } finally {
      button.disabled = false;
    }
  });
}
