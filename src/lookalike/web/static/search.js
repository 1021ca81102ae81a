"use strict";

const said = document.getElementById("said");
const list = document.getElementById("hits");

async function search(body, headers) {
  said.textContent = "Searching …";
  const response = await fetch("/api/search", { method: "POST", body, headers });
  const answer = await response.json();
  if (!response.ok) {
    said.textContent = answer.error.message;
    return;
  }
  const { hits, images, seconds } = answer;
  said.textContent = `${hits.length} of ${images} images, in ${(1000 * seconds).toFixed(0)} ms`;
  list.replaceChildren(...hits.map(tile));
}

function tile(hit) {
  const image = document.createElement("img");
  image.src = hit.thumbnail;
  image.alt = "";
  const button = document.createElement("button");
  button.type = "button";
  button.append(image, line(`${hit.distance}/${hit.bits} ${hit.tier}`), line(hit.name, "name"));
  button.addEventListener("click", () => {
    search(JSON.stringify({ id: hit.id, top: 30 }), { "Content-Type": "application/json" });
  });
  const item = document.createElement("li");
  item.append(button);
  return item;
}

function line(text, kind = "") {
  const span = document.createElement("span");
  span.className = kind;
  span.textContent = text;
  return span;
}

document.getElementById("file").addEventListener("change", (event) => {
  if (!event.target.files.length) return;
  const form = new FormData();
  form.append("file", event.target.files[0]);
  form.append("top", "30");
  search(form);
});
