/* Keeps the score at the top of the page equal to the sum of what the problems below show. */
document.addEventListener("course:grade", () => {
  "use strict";
  const progress = document.getElementById("score");
  const problems = [...document.querySelectorAll("[data-earned]")];
  progress.value = problems.reduce((sum, problem) => sum + Number(problem.dataset.earned), 0);
  document.getElementById("score-in-words").value = `${progress.value} of ${progress.max} points`;
});
