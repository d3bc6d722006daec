// Package guides tests README.md, the pages in docs, and those of the React package and of
// the example: each link leads to a file and a heading that exist, and each code block runs.
//
// The blocks of one page are one session in one folder, from top to bottom. The language
// of a block decides how it is tested; a block in any other language fails the tests.
//
//	console           each line that begins with "$ " is run by bash. The lines below it are
//	                  the output that it must print; … stands for any text.
//	yaml signet.yaml  settings that the following commands use; signet config check judges them.
//	yaml              settings that signet config check judges.
//	ts, tsx           a program that tsc compiles with the packages of examples/react-app.
//	json              a document that must be well formed.
//	mermaid           a picture; it is not a snippet.
//
// A comment directly above a block changes this. Readers do not see it.
//
//	<!-- set up: … -->        commands to run before the block, one a line; the command stop
//	                          ends the server that the page has started.
//	<!-- with: postgresql --> the block uses an empty PostgreSQL database.
//	<!-- run: NAME -->        the test of that name in the list elsewhere runs the block.
//	                          Only the Rust of the example is run by hand.
//
// The package contains only tests. It does not know the effects of the commands: their own
// tests judge them.
package guides
