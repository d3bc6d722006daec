// The device of a person: the virtual authenticator of Chromium.

// Device is the authenticator of the person's device.
export class Device {
  static of(page) {
    return Device.add(page, { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true })
  }

  // key returns a security key of the first generation: it stores no account and verifies nobody.
  static key(page) {
    return Device.add(page, { protocol: 'u2f', transport: 'usb' })
  }

  static async add(page, options) {
    const device = new Device()
    device.cdp = await page.context().newCDPSession(page)
    await device.cdp.send('WebAuthn.enable')
    const { authenticatorId } = await device.cdp.send('WebAuthn.addVirtualAuthenticator', { options: { ...options, automaticPresenceSimulation: true } })
    device.authenticatorId = authenticatorId
    return device
  }

  async send(method, parameters) {
    return this.cdp.send(`WebAuthn.${method}`, { authenticatorId: this.authenticatorId, ...parameters })
  }

  async passkeys() {
    return (await this.send('getCredentials')).credentials
  }

  // attend sets whether the person answers the device. Before a press of the button, nobody may
  // answer the autofill.
  attend(enabled) {
    return this.send('setAutomaticPresenceSimulation', { enabled })
  }

  // unlock sets whether the person passes the screen lock.
  unlock(isUserVerified) {
    return this.send('setUserVerified', { isUserVerified })
  }

  // forgets waits until the page has told the browser that the account has no passkey.
  async forgets() {
    for (let tries = 0; tries < 100; tries++) {
      if ((await this.passkeys()).length === 0) return
      await new Promise(done => setTimeout(done, 50))
    }
    throw new Error('the device has the passkey still')
  }
}

// noteAnswers returns a list to which the page adds the mediation of each passkey that was used.
export async function noteAnswers(page) {
  const answers = []
  await page.exposeFunction('noteAnswer', mediation => answers.push(mediation))
  await page.addInitScript(() => {
    const get = navigator.credentials.get.bind(navigator.credentials)
    navigator.credentials.get = async options => {
      const credential = await get(options)
      await globalThis.noteAnswer(options.mediation ?? 'required')
      return credential
    }
  })
  return answers
}
