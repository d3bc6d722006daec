package program

// EventsPage is the number of events that one query reads.
const EventsPage = eventsPage
