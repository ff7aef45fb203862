function TourBlock(runtime, element) {
  "use strict";
  element.querySelector(".tour-close").addEventListener("click", async () => {
    try {
      await runtime.call(element, "close", {});
      element.remove();
      document.getElementById("main").focus({ preventScroll: true }); // the button is gone
    } catch (error) {
      element.querySelector(".trouble").textContent = error.message;
    }
  });
}
