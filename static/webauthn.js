// Passkeys and security keys (WebAuthn). The pages that use them load this file behind
// site.js, in one request. Binary values are base64url in the page.
(function () {
  "use strict";

  function each(selector, act) {
    Array.prototype.forEach.call(document.querySelectorAll(selector), act);
  }

  function toBytes(text) {
    var raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(raw, function (c) { return c.charCodeAt(0); });
  }

  function toText(buffer) {
    var raw = "";
    new Uint8Array(buffer).forEach(function (b) { raw += String.fromCharCode(b); });
    return btoa(raw).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  // Tells the browser about passkeys that the server knows or does not know, so that it
  // offers no dead ones. Browsers without this ignore it.
  function signal(name, about) {
    var tell = window.PublicKeyCredential && PublicKeyCredential[name];
    if (tell) tell.call(PublicKeyCredential, about).catch(function () {});
  }

  function descriptor(id) { return { type: "public-key", id: toBytes(id) }; }

  function list(text) { return text ? text.split(",") : []; }

  // A key that may answer: its ID, and the ways to reach it.
  function allowed(text) {
    var ways = text.split(";"), of = descriptor(ways.shift());
    if (ways.length) of.transports = ways;
    return of;
  }

  function options(d, creates) {
    var o = { challenge: toBytes(d.challenge), userVerification: d.verification || "required" }, second = "second" in d;
    if (!creates) {
      o.rpId = d.rp;
      if (d.allowed) o.allowCredentials = list(d.allowed).map(allowed);
      return o;
    }
    return {
      challenge: o.challenge, rp: { id: d.rp, name: d.rp },
      user: { id: toBytes(d.user), name: d.name, displayName: d.name },
      pubKeyCredParams: list(d.algorithms).map(function (alg) { return { type: "public-key", alg: Number(alg) }; }),
      excludeCredentials: list(d.exclude).map(descriptor), attestation: "none",
      authenticatorSelection: second ? { authenticatorAttachment: "cross-platform", residentKey: "discouraged", userVerification: "discouraged" } :
        { residentKey: "required", requireResidentKey: true, userVerification: "required" },
      hints: second ? ["security-key"] : []
    };
  }

  function answer(credential) {
    var from = credential.response, response = {};
    ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"].forEach(function (part) {
      if (from[part]) response[part] = toText(from[part]);
    });
    if (from.getTransports) response.transports = from.getTransports();
    return JSON.stringify({
      id: credential.id, rawId: toText(credential.rawId), type: credential.type, clientExtensionResults: {},
      authenticatorAttachment: credential.authenticatorAttachment || undefined, response: response
    });
  }

  // A challenge lives for 30 minutes. A form that is older takes a new one before it is used.
  var longest = 20 * 60 * 1000;

  each("[data-no-passkeys]", function (text) { text.hidden = !!window.PublicKeyCredential; });

  each("form[data-passkey]", function (form) {
    var known = window.PublicKeyCredential, creates = form.dataset.passkey === "create", waiting, autofills = false, since = Date.now();
    if (!known) return;
    form.hidden = false;
    if (form.dataset.unknown) signal("signalUnknownCredential", { rpId: form.dataset.rp, credentialId: form.dataset.unknown });

    function stop() { if (waiting) waiting.abort(); }

    // A new passkey that the server refuses, because the sign-in is too old, would stay on the device.
    function isOld() { return creates || Date.now() - since > longest; }

    // renew takes the challenge from a new copy of the page. If there is no such page any more, since
    // the sign-in has expired, the browser begins anew.
    function renew() {
      var query = [], other = form.elements.other;
      ["request", "link", "factor"].forEach(function (name) {
        var field = form.elements[name];
        if (field) query.push(name + "=" + encodeURIComponent(field.value));
      });
      if (other && other.value) query.push("other=1");
      var address = form.dataset.page + (query.length ? "?" + query.join("&") : "");
      return fetch(address, { redirect: "manual" }).then(function (response) { return response.text(); }).then(function (text) {
        var page = new DOMParser().parseFromString(text, "text/html"), copy = page.getElementById(form.id), start = page.getElementById("start");
        if (!copy) {
          location.replace(start ? start.href : address);
          return new Promise(function () {});
        }
        form.dataset.challenge = copy.dataset.challenge;
        each("#" + form.id + " [type=hidden]", function (field) {
          var now = copy.elements[field.name];
          if (now && now.value) field.value = now.value;
        });
        since = Date.now();
      });
    }

    // Autofill waits until the person chooses a passkey, so only a call by the button tells
    // that there was none.
    function ask(mediation) {
      stop();
      var own = waiting = new AbortController();
      autofills = !!mediation;
      (isOld() ? renew() : Promise.resolve()).then(function () {
        var asked = { publicKey: options(form.dataset, creates), signal: own.signal };
        if (mediation) asked.mediation = mediation;
        return navigator.credentials[creates ? "create" : "get"](asked);
      }).then(function (credential) {
        [["keep", "stay"], ["trust", "trust"]].forEach(function (pair) {
          var box = document.getElementById(pair[0]), field = form.elements[pair[1]];
          if (box && field) field.value = box.checked ? "on" : "";
        });
        form.elements.credential.value = answer(credential);
        form.submit();
      }).catch(function (error) {
        if (own.signal.aborted || mediation) return;
        var problem = form.querySelector("[data-passkey-problem]");
        problem.textContent = error.name === "InvalidStateError" && problem.dataset.exists || problem.dataset.text;
        form.removeAttribute("data-sent");
        autofill();
      });
    }

    function autofill() {
      if (creates || !known.isConditionalMediationAvailable || !document.querySelector("[autocomplete~=webauthn]")) return;
      known.isConditionalMediationAvailable().then(function (can) {
        if (can) ask("conditional");
      });
    }

    // freshen lets autofill go on with a new challenge, unless the person is writing: the page may
    // have to begin anew.
    function freshen() {
      if (!autofills || !isOld() || document.hidden) return;
      var writes = ["username", "password"].some(function (id) {
        var field = document.getElementById(id);
        return field && field.value !== field.defaultValue;
      });
      if (!writes) ask("conditional");
    }
    setInterval(freshen, 60 * 1000);
    document.addEventListener("visibilitychange", freshen);

    form.addEventListener("submit", function (event) {
      if (event.defaultPrevented) return;
      event.preventDefault();
      ask();
    });
    each("form:not([data-passkey])", function (other) { other.addEventListener("submit", stop); });
    autofill();
  });

  each("[data-can-create]", function (field) {
    var known = window.PublicKeyCredential;
    if (!known || !known.getClientCapabilities) return;
    known.getClientCapabilities().then(function (can) {
      if (can.conditionalCreate) field.value = "1";
    }).catch(function () {});
  });

  // The browser may make a passkey by itself. The page goes on after three seconds, whatever the browser
  // does. A passkey that the server did not take is reported, so that the browser forgets it.
  each("form[data-creates]", function (form) {
    var d = form.dataset, next = document.getElementById("continue").href, waiting = new AbortController(), left = false;
    function goOn() {
      if (left) return;
      left = true;
      location.replace(next);
    }
    function send(credential) {
      form.elements.credential.value = answer(credential);
      setTimeout(goOn, 3000);
      return fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) }).then(function (response) {
        if (!response.ok) signal("signalUnknownCredential", { rpId: d.rp, credentialId: credential.id });
      });
    }
    if (!window.PublicKeyCredential) return goOn();
    var asked = options(d, true);
    asked.authenticatorSelection.userVerification = "preferred";
    var late = setTimeout(function () {
      waiting.abort();
      goOn();
    }, 3000);
    navigator.credentials.create({ publicKey: asked, mediation: "conditional", signal: waiting.signal }).then(function (credential) {
      clearTimeout(late);
      return send(credential);
    }).catch(function () {}).then(goOn);
  });

  each("[data-known-user]", function (of) {
    var d = of.dataset, user = d.knownUser;
    if ("accepted" in d) signal("signalAllAcceptedCredentials", { rpId: d.rp, userId: user, allAcceptedCredentialIds: list(d.accepted) });
    signal("signalCurrentUserDetails", { rpId: d.rp, userId: user, name: d.name, displayName: d.name });
  });
})();
