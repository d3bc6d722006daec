// Package words holds every sentence that people read, one file for each language.
//
// A sentence has a key, such as sign-in.heading, and named placeholders: {{.App}}. Go code
// names a sentence and gives its values; the language is chosen later, when the page is
// rendered:
//
//	words.Say("sign-in-problem.unreachable-title", "Connector", connector.Name())
//
// The pages name theirs themselves:
//
//	<h1>{{say "sign-in.heading"}}</h1>
//	<p>{{sayHTML "sign-out.asks" "App" (clientName .Client)}}</p>
//
// Four rules keep the catalog translatable:
//
//   - A sentence is whole. Two halves are never joined, since another language orders
//     them differently: "Sign in with " and a name are one sentence with a placeholder.
//   - A sentence with a number has plural forms (one, other, and in
//     other languages few, many …). The placeholder of that number is called Count.
//   - A key is a literal where it is used, so that a search finds it. The tests fail for a
//     key that is missing or unused, and for a placeholder that has no value.
//   - A sentence may contain <strong>, <code>, <bdi> and one <a>, if the page prints it
//     with sayHTML. Read refuses any other markup.
//
// Sentence.String gives the English text, for the log, the command line and JSON.
//
// The files have the format of go-i18n (https://github.com/nicksnyder/go-i18n). Its command
// goi18n merges translations. The names one, other, few, many, zero, two, description and
// the other fields of its messages cannot be keys.
//
// The package knows no page, no user and no HTTP. It does not decide which language a
// person reads. It does not translate the codes of errors.
package words
