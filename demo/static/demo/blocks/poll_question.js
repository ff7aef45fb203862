function PollQuestionBlock(runtime, element) {
  "use strict";
  const find = (selector) => element.querySelector(selector);
  const form = find("form");

  function show(outcome) {
    form.hidden = true;
    find(".tally").hidden = false;
    find(".total").textContent = outcome.total === 1 ? "1 vote so far" : `${outcome.total} votes so far`;
    outcome.shares.forEach(({ id, percent }) => {
      const row = find(`[data-choice="${CSS.escape(id)}"]`);
      row.querySelector(".tally-percent").textContent = `${percent}%`;
      row.querySelector(".bar span").style.width = `${percent}%`;
      row.querySelector(".own").hidden = id !== outcome.choice;
    });
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    find(".trouble").textContent = "";
    find("button").disabled = true;
    try {
      show(await runtime.call(element, "vote", { choice: new FormData(form).get("choice") }));
      find(".tally").focus(); // the button that had the focus is gone
    } catch (error) {
      find(".trouble").textContent = error.message;
    } finally {
      find("button").disabled = false;
    }
  });

  const outcome = JSON.parse(find('script[type="application/json"]').textContent);
  if (outcome.choice !== null) show(outcome);
}
