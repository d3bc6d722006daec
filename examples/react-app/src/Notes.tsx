import { authFetch, SessionExpired } from '@signet/react'
import { type FormEvent, useCallback, useEffect, useState } from 'react'

/** The protected page: calls the app's own API with the cookie. */
export function Notes() {
  const [notes, setNotes] = useState<string[]>()
  const [problem, setProblem] = useState('')
  const [loads, setLoads] = useState(0)

  const load = useCallback(async (init?: RequestInit) => {
    try {
      const answer = await authFetch('/api/notes', init)
      if (!answer.ok) throw new Error(`the API answered ${answer.status}`)
      setNotes(await answer.json())
      setProblem('')
      setLoads(n => n + 1)
    } catch (error) {
      // <Protected> shows that a session has ended.
      if (!(error instanceof SessionExpired)) setProblem((error as Error).message)
    }
  }, [])

  useEffect(() => { void load() }, [load])

  const add = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const text = new FormData(event.currentTarget).get('text')
    event.currentTarget.reset()
    void load({ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ text }) })
  }

  return (
    <>
      <h1>Your notes</h1>
      <ul id="notes" data-loads={loads}>{notes?.map((note, i) => <li key={i}>{note}</li>)}</ul>
      {problem && <p role="alert">{problem}</p>}
      <form id="add" onSubmit={add}>
        <label>New note <input name="text" required maxLength={200} /></label> <button>Add</button>
      </form>
      <button id="reload" onClick={() => void load()}>Load again</button>
    </>
  )
}
