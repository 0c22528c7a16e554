(function () {
  "use strict";
  var status = document.getElementById("status");
  var timer = 0;
  function say(text) {
    status.textContent = text;
    clearTimeout(timer);
    timer = setTimeout(function () { status.textContent = ""; }, 4000);
  }

  // ".84 [.82, .86]", "−.078", "< .001", "2,240", "95%", "∞"; null where there is no number.
  function number(text) {
    var plain = text.trim().replace(/\u2212/g, "-").replace(/(\d),(?=\d{3}\b)/g, "$1");
    if (/^-?\u221e/.test(plain)) { return plain[0] === "-" ? -Infinity : Infinity; }
    var found = /^[<>\[\s]*(-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?)/.exec(plain);
    if (!found) { return null; }
    var value = parseFloat(found[1]);
    // "< .001" comes before ".001", "> .999" after it.
    if (plain[0] === "<") { return value - 1e-9; }
    return plain[0] === ">" ? value + 1e-9 : value;
  }

  function compare(a, b, down) {
    if (a.empty || b.empty) { return a.empty - b.empty; }
    var order;
    if (a.value !== null && b.value !== null) {
      order = a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
    } else if (a.value !== null || b.value !== null) {
      order = a.value !== null ? -1 : 1;
    } else {
      order = a.text.localeCompare(b.text, undefined, { numeric: true });
    }
    return (down ? -order : order) || a.at - b.at;
  }

  function sort(head) {
    var table = head.closest("table");
    var heads = Array.from(head.parentNode.children);
    var column = heads.indexOf(head);
    var before = head.getAttribute("aria-sort");
    var next = before === "none" ? "ascending" : before === "ascending" ? "descending" : "none";
    heads.forEach(function (one) { one.setAttribute("aria-sort", "none"); });
    head.setAttribute("aria-sort", next);
    var body = table.tBodies[0];
    var rows = Array.from(body.rows).map(function (row, at) {
      if (row.dataset.at === undefined) { row.dataset.at = at; }
      var text = row.cells[column].textContent.trim();
      return {
        row: row, at: +row.dataset.at, text: text, value: number(text),
        empty: +(text === "" || text === "\u2014")
      };
    });
    rows.sort(next === "none"
      ? function (a, b) { return a.at - b.at; }
      : function (a, b) { return compare(a, b, next === "descending"); });
    rows.forEach(function (one) { body.appendChild(one.row); });
    say(next === "none" ? "Order as before." : "Sorted by " + head.textContent.trim() + ", " + next + ".");
  }

  function isFormula(text) {
    return /^[=+\-@]./.test(text) && !/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text);
  }

  // The table as the reader has it: tabs between cells, its order kept.
  function tabs(table) {
    return Array.from(table.rows).map(function (row) {
      return Array.from(row.cells).map(function (cell) {
        var text = cell.textContent.trim();
        // A blank before it, as in the CSV files, keeps a spreadsheet from evaluating a label.
        return (isFormula(text) ? " " : "") + text + "\t".repeat(cell.colSpan - 1);
      }).join("\t");
    }).join("\n");
  }

  // Number, title, table and note as a word processor keeps them: styles on the elements.
  var FONT = "font-family:'Times New Roman',serif;font-size:11pt;";
  var RULE = "1pt solid black";
  function paragraph(parts, style) {
    var made = document.createElement("p");
    parts.forEach(function (part) { made.append(part); });
    made.style.cssText = FONT + style;
    return made;
  }

  function bare(node) {
    var copy = node.cloneNode(true);
    copy.querySelectorAll("button").forEach(function (one) { one.replaceWith.apply(one, one.childNodes); });
    [copy].concat(Array.from(copy.querySelectorAll("*"))).forEach(function (one) {
      ["class", "id", "role", "tabindex", "aria-sort", "data-at"].forEach(function (name) {
        one.removeAttribute(name);
      });
    });
    return copy;
  }

  function wordTable(table) {
    var copy = bare(table);
    if (copy.caption) { copy.caption.remove(); }
    copy.style.borderCollapse = "collapse";
    Array.from(table.rows).forEach(function (row, i) {
      var made = copy.rows[i];
      var inHead = row.parentNode === table.tHead;
      Array.from(row.cells).forEach(function (cell, j) {
        var over = cell.classList.contains("over");
        var side = over ? "center" : cell.classList.contains("text") ? "left" : "right";
        var style = FONT + "padding:2pt 6pt;font-weight:normal;vertical-align:top;text-align:" + side + ";";
        if (i === 0) { style += "border-top:" + RULE + ";"; }
        if ((inHead && (over || row === table.tHead.lastElementChild)) || row === table.rows[table.rows.length - 1]) {
          style += "border-bottom:" + RULE + ";";
        }
        // Not by cssText, which drops what only Microsoft's programs know.
        if (isFormula(cell.textContent.trim())) { style += "mso-number-format:'\\@';"; }
        made.cells[j].setAttribute("style", style);
      });
    });
    return copy;
  }

  function forWord(table) {
    var made = document.createElement("div");
    var caption = table.caption;
    var number = caption && caption.querySelector("strong");
    var title = caption && caption.querySelector("em");
    if (number) { made.append(paragraph([bare(number)], "margin:0 0 6pt 0;")); }
    if (title) { made.append(paragraph([bare(title)], "margin:0 0 6pt 0;")); }
    made.append(wordTable(table));
    var note = table.closest(".tablebox") && table.closest(".tablebox").querySelector(".note");
    if (note) { made.append(paragraph(Array.from(bare(note).childNodes), "margin:6pt 0 0 0;")); }
    return made;
  }

  // Where the page may not use the clipboard, the browser copies a selection.
  function bySelection(node) {
    var chosen = window.getSelection();
    var range = document.createRange();
    range.selectNode(node);
    chosen.removeAllRanges();
    chosen.addRange(range);
    var done = document.execCommand("copy");
    chosen.removeAllRanges();
    say(done ? "Copied." : "The browser does not let this page copy; select and copy by hand.");
  }

  // A table is selected as it is to be pasted, for a moment in the page but out of sight.
  function selected(node) {
    if (node.tagName !== "TABLE") {
      var folded = Array.from(node.querySelectorAll("details:not([open])"));
      folded.forEach(function (one) { one.open = true; });
      bySelection(node);
      folded.forEach(function (one) { one.open = false; });
      return;
    }
    var made = forWord(node);
    made.style.cssText = "position:fixed;left:-200rem;top:0;";
    document.body.append(made);
    bySelection(made);
    made.remove();
  }

  // What is folded is copied, too.
  function read(node) {
    var folded = Array.from(node.querySelectorAll("details:not([open])"));
    folded.forEach(function (one) { one.open = true; });
    var text = node.innerText.trim();
    folded.forEach(function (one) { one.open = false; });
    return text;
  }

  function copy(id) {
    // Emptied first, so that a screen reader says the second "Copied." too.
    status.textContent = "";
    var node = document.getElementById(id);
    var isTable = node.tagName === "TABLE";
    var text = isTable ? tabs(node) : read(node);
    if (!(navigator.clipboard && window.ClipboardItem)) { selected(node); return; }
    var parts = { "text/plain": new Blob([text], { type: "text/plain" }) };
    if (isTable) { parts["text/html"] = new Blob([forWord(node).outerHTML], { type: "text/html" }); }
    navigator.clipboard.write([new ClipboardItem(parts)]).then(
      function () { say("Copied."); },
      function () { selected(node); }
    );
  }

  document.addEventListener("click", function (event) {
    var button = event.target.closest("button");
    if (!button) { return; }
    if (button.classList.contains("sort")) { sort(button.closest("th")); }
    if (button.classList.contains("larger")) { enlarge(button); }
    if (button.dataset.copy) { copy(button.dataset.copy); }
  });

  // What is folded on the screen is read on paper, but for the words that repeat a figure.
  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.from(document.querySelectorAll("details:not([open]):not(.words):not(.print-skip)"));
    opened.forEach(function (one) { one.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (one) { one.open = false; });
  });

  // Of a box that is narrower than its table: whether columns are hidden, and at its right edge.
  var boxes = Array.from(document.querySelectorAll(".scroll"));
  function measure(box) {
    var hidden = box.scrollWidth - box.clientWidth;
    box.classList.toggle("over", hidden > 1);
    box.classList.toggle("more", hidden - box.scrollLeft > 1);
  }
  boxes.forEach(function (box) {
    box.addEventListener("scroll", function () { measure(box); }, { passive: true });
  });
  function measureAll() { boxes.forEach(measure); }
  window.addEventListener("resize", measureAll);
  document.addEventListener("toggle", measureAll, true);
  measureAll();

  // A figure that is scaled to a narrow screen, at the size that it was drawn for.
  function enlarge(button) {
    var large = button.closest("figure").querySelector(".drawn").classList.toggle("large");
    button.setAttribute("aria-pressed", large);
    button.textContent = large ? "Smaller" : "Larger";
  }

  // On a wide screen the contents stand open beside the text.
  var contents = document.querySelector("nav details");
  var wide = window.matchMedia("(min-width: 68rem)");
  function unfold() { if (contents) { contents.open = wide.matches; } }
  wide.addEventListener("change", unfold);
  unfold();

  // The section in view is marked in the contents.
  var links = Array.from(document.querySelectorAll("nav a"));
  var here = document.querySelector("nav .here");
  var marked = null;
  function mark() {
    var now = null;
    var end = window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 2;
    links.forEach(function (link) {
      var section = document.getElementById(link.hash.slice(1));
      if (end || section.getBoundingClientRect().top < window.innerHeight / 3) { now = link; }
    });
    now = now || links[0];
    if (!now || now === marked) { return; }
    if (marked) { marked.removeAttribute("aria-current"); }
    marked = now;
    now.setAttribute("aria-current", "true");
    here.textContent = now.textContent;
    var list = contents.parentNode;
    if (wide.matches && list.scrollHeight > list.clientHeight) { list.scrollTop = now.offsetTop - list.clientHeight / 2; }
  }
  var waiting = false;
  window.addEventListener("scroll", function () {
    if (waiting) { return; }
    waiting = true;
    requestAnimationFrame(function () { waiting = false; mark(); });
  }, { passive: true });
  window.addEventListener("resize", mark);
  mark();

  // On a narrow screen the list folds again once it was used; what it leads to may be folded.
  document.addEventListener("click", function (event) {
    var link = event.target.closest("nav a");
    if (link && contents && !wide.matches) { contents.open = false; }
  });
}());
