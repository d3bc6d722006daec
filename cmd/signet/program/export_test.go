package program

// EventsPage is how many events are read at once.
const EventsPage = eventsPage
