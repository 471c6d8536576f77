/** Writes deploy/grafana/dashboards/*.json from scripts/grafana: npm run docs. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { agents } from './grafana/agents.ts'
import { conversation } from './grafana/conversation.ts'
import { dashboardDocument } from './grafana/dashboard.ts'
import { overview } from './grafana/overview.ts'
import { pipeline } from './grafana/pipeline.ts'
import { queues } from './grafana/queues.ts'

export const dashboardFolder = path.join(import.meta.dirname, '..', 'deploy', 'grafana', 'dashboards')

/** The dashboards as JSON, by the names of their files. */
export function dashboardFiles(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries({ overview, queues, agents, conversation, pipeline }).map(([name, dashboard]) => [
      `${name}.json`,
      `${JSON.stringify(dashboardDocument(dashboard), null, 2)}\n`,
    ]),
  )
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(dashboardFiles())) {
    writeFileSync(path.join(dashboardFolder, name), text)
    console.log(`wrote ${path.relative(process.cwd(), path.join(dashboardFolder, name))}`)
  }
}
