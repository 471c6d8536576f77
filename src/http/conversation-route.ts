/** `/conversations/ID`: one conversation. */
import { type Hono } from 'hono'
import { conversationPage, missingConversationPage, type ConversationView } from './views/conversation-page.ts'
import { page, type View } from './views/layout.ts'

/** Never rejects: if the database cannot be read, the result says so. */
export interface ConversationSource {
  readonly conversation: (id: string) => Promise<ConversationView>
}

/** Genesys' ids are UUIDs; tests and other tools have others. Nothing else is looked up. */
const ID = /^[\w-]{1,64}$/

/** Adds the page. An id that cannot be one is as unknown as one that is not stored. */
export function addConversationRoute(routes: Hono, { conversation }: ConversationSource): void {
  routes.get('/conversations/:id', async (context) => {
    const theme = context.req.query('theme')
    const render = (view: View) => page(view, theme === 'dark' || theme === 'light' ? theme : null)
    const id = context.req.param('id')
    const view = ID.test(id) ? await conversation(id) : null
    if (view === null || (view.conversation === null && view.reason === null))
      return context.html(render(missingConversationPage()), 404)
    return context.html(render(conversationPage(view)), view.conversation === null ? 503 : 200)
  })
}
