package web

// AnsweredCauses returns all causes that have a row in the table.
func AnsweredCauses() []string {
	var causes []string
	for _, rows := range answers {
		for cause := range rows {
			causes = append(causes, cause)
		}
	}
	return causes
}

// Answers reports whether the cause has a row on the surface.
func (s Surface) Answers(cause string) bool {
	_, known := answers[s][cause]
	return known
}
