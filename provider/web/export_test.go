package web

// AnsweredCauses are those that the table knows.
func AnsweredCauses() []string {
	var causes []string
	for _, rows := range answers {
		for cause := range rows {
			causes = append(causes, cause)
		}
	}
	return causes
}

// Answers reports whether the table knows the cause on that surface.
func (s Surface) Answers(cause string) bool {
	_, known := answers[s][cause]
	return known
}
