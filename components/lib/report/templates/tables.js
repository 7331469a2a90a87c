// Without a script these tables are whole and in order; with one they can be searched and sorted.
document.querySelectorAll("[data-sort]").forEach(function (box) {
  var body = box.querySelector("tbody"), rows = Array.from(body.rows), heads = Array.from(box.querySelectorAll("th"));
  var tools = document.createElement("div"), search = document.createElement("input"), shown = document.createElement("span");
  var least = null, place = box.dataset.rows;
  tools.className = "tools"; search.type = "search"; search.placeholder = "search " + box.dataset.search;
  search.setAttribute("aria-label", search.placeholder); shown.setAttribute("role", "status"); tools.append(search);
  if (place !== undefined) {
    var label = document.createElement("label"); least = document.createElement("input"); least.type = "number"; least.min = 0;
    label.append("at least ", least, " rows"); tools.append(label);
  }
  tools.append(shown); box.prepend(tools);
  function value(row, i) { var v = row.cells[i].dataset.v; return v === undefined ? NaN : parseFloat(v); }
  function filter() {
    var words = search.value.toLowerCase().split(/\s+/).filter(Boolean), from = least && least.value ? +least.value : 0, count = 0;
    rows.forEach(function (row) {
      var text = row.cells[0].textContent.toLowerCase();
      var ok = words.every(function (w) { return text.includes(w); }) && !(from && !(value(row, place) >= from));
      row.hidden = !ok; count += ok;
    });
    shown.textContent = count + " of " + rows.length;
  }
  heads.forEach(function (head, i) {
    var button = document.createElement("button"); button.type = "button"; button.append(...head.childNodes); head.append(button);
    button.addEventListener("click", function () {
      var up = head.getAttribute("aria-sort") === "descending" || (!head.hasAttribute("aria-sort") && !head.classList.contains("number"));
      heads.forEach(function (h) { h.removeAttribute("aria-sort"); }); head.setAttribute("aria-sort", up ? "ascending" : "descending");
      rows.sort(function (a, b) {
        var x = value(a, i), y = value(b, i);
        if (isNaN(x) && isNaN(y)) {
          if (head.classList.contains("number")) return 0;
          return (up ? 1 : -1) * a.cells[i].textContent.localeCompare(b.cells[i].textContent, undefined, {numeric: true});
        }
        if (isNaN(x)) return 1;
        if (isNaN(y)) return -1;
        return (up ? 1 : -1) * (x - y);
      });
      body.append(...rows);
    });
  });
  search.addEventListener("input", filter); if (least) least.addEventListener("input", filter); filter();
});
