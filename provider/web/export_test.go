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
