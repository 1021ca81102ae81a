// Light or dark before anything is painted; loaded in the head, not as a module, for that reason.
(() => {
  const wanted = localStorage.getItem("theme");
  if (wanted === "light" || wanted === "dark") document.documentElement.dataset.theme = wanted;
})();
