// Every page works without this file. No inline code, no eval, no request of its own.
(function () {
  "use strict";

  function each(selector, act) {
    Array.prototype.forEach.call(document.querySelectorAll(selector), act);
  }

  function conceal(button) {
    document.getElementById(button.getAttribute("aria-controls")).type = "password";
    button.setAttribute("aria-pressed", "false");
  }

  each("[data-reveals]", function (button) {
    var field = document.getElementById(button.getAttribute("aria-controls"));
    button.hidden = false;
    button.addEventListener("click", function () {
      var show = field.type === "password";
      field.type = show ? "text" : "password";
      button.setAttribute("aria-pressed", String(show));
      field.focus();
    });
  });

  each("[data-caps]", function (hint) {
    var field = document.getElementById(hint.getAttribute("data-caps"));
    function tell(event) {
      var on = event.getModifierState && event.getModifierState("CapsLock");
      var text = on ? hint.getAttribute("data-text") : "";
      if (hint.textContent !== text) hint.textContent = text;
    }
    field.addEventListener("keydown", tell);
    field.addEventListener("keyup", tell);
    field.addEventListener("blur", function () { hint.textContent = ""; });
  });

  // Browsers remember the text of visible fields, and a second click would spend
  // the form twice. No button is disabled: a disabled one is not sent, and one
  // that stays disabled after Back is a dead end.
  each("form", function (form) {
    form.addEventListener("submit", function (event) {
      if (form.hasAttribute("data-sent")) {
        event.preventDefault();
        return;
      }
      form.setAttribute("data-sent", "");
      setTimeout(function () { form.removeAttribute("data-sent"); }, 5000);
      each("[data-reveals]", conceal);
    });
  });

  // On a narrow screen the navigation is a row that scrolls.
  each("nav [aria-current]", function (link) {
    link.scrollIntoView({ block: "nearest", inline: "center" });
  });

  // The form of a response to an application is sent without a click. It is sent before the
  // page has loaded, so that the browser does not return to it with Back. Sending it as the
  // button does keeps a click from sending it twice.
  each("form[data-send]", function (form) {
    form.querySelector("button").click();
  });

  // The page whose frames sign the person out of applications goes on when all of them have
  // answered, or failed. It does not wait longer than three seconds for them.
  each("a[data-leave]", function (link) {
    var left = false;
    function leave() {
      if (!left) window.location.replace(link.href);
      left = true;
    }
    window.addEventListener("load", leave);
    setTimeout(leave, 3000);
  });

  function listed(button, name) {
    var items = document.getElementById(button.getAttribute(name)).querySelectorAll("li");
    return Array.prototype.map.call(items, function (item) { return item.textContent; }).join("\n") + "\n";
  }

  each("[data-copies]", function (button) {
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", function () {
      navigator.clipboard.writeText(listed(button, "data-copies")).then(function () {
        button.textContent = button.getAttribute("data-text");
      });
    });
  });

  each("[data-downloads]", function (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      var link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([listed(button, "data-downloads")], { type: "text/plain" }));
      link.download = button.getAttribute("data-file");
      link.click();
      setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
    });
  });

  each("[data-prints]", function (button) {
    button.hidden = false;
    button.addEventListener("click", function () { window.print(); });
  });

  window.addEventListener("pageshow", function () {
    each("form", function (form) { form.removeAttribute("data-sent"); });
  });
})();
