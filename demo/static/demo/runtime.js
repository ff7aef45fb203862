/* The browser's half of the XBlock runtime: starts each block's script and gives it its addresses. */
(() => {
  "use strict";

  const csrfToken = document.body.dataset.csrfToken;
  const started = new Map(); // element -> what the block's start function made

  // Published blocks pass plain elements or jQuery objects.
  const plain = (element) => (element instanceof Element ? element : element[0]);

  // The blocks directly below an element: those with no other block between.
  function nested(element, selector = ".xblock") {
    return [...element.querySelectorAll(selector)].filter(
      (inner) => (inner.parentElement.closest(".xblock, .xblock-aside") || document.body) === element,
    );
  }

  const runtime = {
    handlerUrl(element, name, suffix = "", query = "") {
      const address = plain(element).dataset.handlers + encodeURIComponent(name) + "/" + (suffix || "");
      return query ? `${address}?${query}` : address;
    },

    children(element) {
      return nested(plain(element)).map((child) => started.get(child));
    },

    childMap(element, name) {
      return this.children(element).find((child) => child.name === name);
    },

    notify(name, detail) {
      document.dispatchEvent(new CustomEvent(`course:${name}`, { detail }));
    },

    /* Call a JSON handler. Rejects with an Error whose message can be shown to the learner. */
    async call(element, name, payload) {
      const response = await fetch(this.handlerUrl(element, name), {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken },
        body: JSON.stringify(payload),
      }).catch(() => {
        throw new Error("No connection. Your answer was not sent; please try again.");
      });
      if (response.ok) return response.json();
      throw new Error(await reason(response));
    },
  };

  async function reason(response) {
    if (response.status === 403) return "You are signed out. Reload the page and sign in again.";
    const answer = await response.json().catch(() => ({}));
    return answer.error || "Something went wrong and nothing was saved. Please try again.";
  }

  function initArguments(element) {
    const script = element.querySelector(":scope > script.xblock-init-args");
    return script ? [JSON.parse(script.textContent)] : [];
  }

  function start(element, ...context) {
    const name = element.dataset.init;
    const block = name ? new window[name](runtime, element, ...context, ...initArguments(element)) : {};
    started.set(element, Object.assign(block, { element, name: element.dataset.name }));
  }

  // Children first: a parent's start function may ask for them.
  function startTree(element) {
    nested(element).forEach(startTree);
    if (element !== document.body) start(element);
  }

  // An aside's start function also gets the block it decorates, as the jQuery object its authors expect.
  function startAside(element) {
    const usage = CSS.escape(element.dataset.decorates);
    const decorated = document.querySelector(`.xblock[data-usage="${usage}"]`);
    start(element, window.jQuery ? window.jQuery(decorated) : decorated);
  }

  function protectJQuery(jQuery) {
    jQuery.ajaxPrefilter((options, original, request) => {
      if (!options.crossDomain) request.setRequestHeader("X-CSRFToken", csrfToken);
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (window.jQuery) protectJQuery(window.jQuery);
    startTree(document.body);
    document.querySelectorAll(".xblock-aside").forEach(startAside);
  });
})();
