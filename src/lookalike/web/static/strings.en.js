// All words of the page. Another language is a copy of this file, strings.de.js for German, with the same keys; what it
// lacks is shown in English. {name} is replaced by a value; forms by number are those of Intl.PluralRules, chosen by {count}.

export const STRINGS = {
  // Pages
  "page.search": "Search",
  "page.cleanup": "Clean up",
  "page.scenes": "Same scene",
  "page.browse": "Browse",
  "page.map": "Map",
  "page.care": "Care",
  "page.settings": "Settings",

  // The frame
  "shell.pages": "Pages",
  "shell.more": "More",
  "shell.skip": "Skip to content",
  "shell.api": "API",
  "shell.apiTitle": "The HTTP API",
  "shell.drop": "Drop the images to search for them",
  "shell.keys": "Keyboard shortcuts",
  "shell.useKeys": "Use keyboard shortcuts on this page",
  "shell.allPages": "All pages",
  "shell.thisHelp": "this help",
  "shell.close": "Close",
  "shell.partLost": "This part of the page could not be loaded. Is the server still running? Then reload the page.",
  "shell.lost": "The server does not answer. Is it still running? Trying again …",
  "shell.lostShort": "The server does not answer.",
  "shell.notJson": "The server's answer is not JSON ({status}).",
  "shell.retry": "Try again",
  "shell.back": "The server answers again.",
  "shell.images": { one: "{count} image", other: "{count} images" },
  "theme.auto": "Theme: same as the system",
  "theme.light": "Theme: light",
  "theme.dark": "Theme: dark",

  // Sign-in, and an address without a page
  "token.title": "Sign in",
  "token.label": "Access token: the one that lookalike serve was started with (--token)",
  "token.go": "Sign in",
  "token.wrong": "Wrong token. Try again.",
  "token.closed": "This server answers only with its access token.",
  "missing.title": "Page not found",
  "missing.text": "There is no page at this address.",
  "missing.go": "Go to the search",

  // Clean up, Same scene, Care, Settings
  "scenes.soon": "Bursts and series of one scene.",
  "care.soon": "The state of the collection.",
};
