// Code that is wider than the page scrolls sideways. With a tab index, the arrow keys of the keyboard scroll it too.
for (const block of document.querySelectorAll("pre")) {
  block.tabIndex = 0;
}
