// The script of check_session_iframe (OIDC Session Management, section 3.2). The page of an
// application sends "client_id session_state" and gets "unchanged", "changed" or "error".
// It sends no request and changes nothing.
(function () {
  "use strict";

  var begin = document.currentScript.getAttribute("data-cookie") + "=";

  // state returns the state of the browser, "" for none.
  function state() {
    var all = document.cookie || "";
    var found = all.split("; ").filter(function (one) { return one.indexOf(begin) === 0; });
    return found.length === 1 ? found[0].slice(begin.length) : "";
  }

  // The constants of SHA-256 (FIPS 180-4, sections 4.2.2 and 5.3.3) are the first 32 bits of the
  // fractions of the cube and square roots of the first primes.
  var roundKeys = [], start = [];
  function fraction(number) { return Math.floor((number - Math.floor(number)) * 0x100000000); }
  for (var n = 2; roundKeys.length < 64; n++) {
    var prime = true;
    for (var d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (!prime) continue;
    if (start.length < 8) start.push(fraction(Math.sqrt(n)));
    roundKeys.push(fraction(Math.cbrt(n)));
  }

  function rotate(word, by) { return (word >>> by) | (word << (32 - by)); }

  // sha256 returns the hash of a text of ASCII characters in hexadecimal digits.
  function sha256(text) {
    var words = [], length = text.length, i;
    for (i = 0; i < length; i++) words[i >> 2] |= text.charCodeAt(i) << (24 - i % 4 * 8);
    words[length >> 2] |= 0x80 << (24 - length % 4 * 8);
    var last = ((length + 8 >> 6) << 4) + 15;
    words[last] = length * 8;
    var hash = start.slice();
    for (var block = 0; block <= last; block += 16) {
      var w = [], v = hash.slice();
      for (i = 0; i < 64; i++) {
        if (i < 16) {
          w[i] = words[block + i] | 0;
        } else {
          var s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >>> 3);
          var s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >>> 10);
          w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
        }
        var choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        var majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        var one = (v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + choice + roundKeys[i] + w[i]) | 0;
        var two = ((rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + majority) | 0;
        v = [(one + two) | 0, v[0], v[1], v[2], (v[3] + one) | 0, v[4], v[5], v[6]];
      }
      for (i = 0; i < 8; i++) hash[i] = (hash[i] + v[i]) | 0;
    }
    return hash.map(function (word) { return ("0000000" + (word >>> 0).toString(16)).slice(-8); }).join("");
  }

  // answer compares the session_state of the message with the state of the browser now.
  function answer(message, origin) {
    var parts = /^([!-~]+) ([0-9a-f]{64})\.([!-~]+)$/.exec(typeof message === "string" ? message : "");
    if (!parts) return "error";
    return sha256([parts[1], origin, state(), parts[3]].join(" ")) === parts[2] ? "unchanged" : "changed";
  }

  // isFromParent reports whether the message comes from the page around this one, or from another
  // frame of that page with the same origin.
  function isFromParent(event) {
    var around = window.location.ancestorOrigins;
    if (around && around.length) return event.origin === around[0];
    return event.source === window.parent || event.source.parent === window.parent;
  }

  window.addEventListener("message", function (event) {
    if (window.parent === window || !event.source || event.origin === "null" || !isFromParent(event)) return;
    event.source.postMessage(answer(event.data, event.origin), event.origin);
  });
})();
