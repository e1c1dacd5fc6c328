// Puts what happens in the library at the top of the list, as the server tells it.
const list = document.querySelector("[data-events]");
const source = new EventSource(list.dataset.events);
source.addEventListener("happening", (event) => {
  const line = document.createElement("li");
  line.innerHTML = event.data; // Escaped by the template that the page itself is made with.
  list.prepend(line);
});
addEventListener("pagehide", () => source.close());
