// Package passkeytest is an authenticator for tests: it makes passkeys and signs challenges as a
// browser with a security key does. Tests change single parts of its answers to show that a wrong
// answer is refused.
//
// The package does not know servers, databases or pages.
package passkeytest
