/** Reads one list of reference data completely, and marks as deleted what it no longer has. */
import { type GenesysClient, type RequestOptions } from '../genesys/client.ts'
import { readEntities, type ListReading } from '../genesys/entity-list.ts'
import { badAnswer, GenesysError } from '../genesys/errors.ts'
import { type Kysely } from 'kysely'
import { referenceEntity, type ReferenceName } from '../model/reference.ts'
import { type PersonalPolicy } from '../model/personal.ts'
import { type Database } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'
import {
  markDeleted,
  markOrphansDeleted,
  markParentDeleted,
  selectMissing,
  selectParents,
  writePage,
  writeSystemWrapUpCodes,
  type ListPart,
} from './store.ts'

/** What a list is read with. */
export interface EntityContext {
  readonly genesys: GenesysClient
  readonly db: Kysely<Database>
  readonly policy: PersonalPolicy
  readonly options: RequestOptions
  /** Called with each page. */
  readonly onProgress: () => void
}

/**
 * Reads a list and writes what has changed. Pages are written as they come; nothing is marked as deleted before the whole list, or that of
 * a parent, has been read.
 * @returns rows written
 * @throws GenesysError why it could not be read completely; errors of the database as they come
 */
export async function readEntity(context: EntityContext, name: ReferenceName): Promise<number> {
  const { parent, listing } = referenceEntity(name)
  if (listing === null) return 0
  if (name === 'wrap_up_codes') await writing(() => writeSystemWrapUpCodes(context.db))
  if (parent === undefined) return await readPart(context, { name, parentId: null })
  let written = 0
  for (const parentId of await writing(() => selectParents(context.db, parent))) {
    context.options.signal.throwIfAborted()
    written += await readPartOfParent(context, { name, parentId })
  }
  await writing(() => markOrphansDeleted(context.db, name))
  return written
}

/** A parent whose list is not found was deleted since its own list was read. */
async function readPartOfParent(context: EntityContext, part: ListPart): Promise<number> {
  try {
    return await readPart(context, part)
  } catch (error) {
    if (!(error instanceof GenesysError && error.status === 404)) throw error
    await writing(() => markParentDeleted(context.db, part))
    return 0
  }
}

/**
 * Reads a list, or that of one parent, to its end. What it lacks is looked for in a second reading before it is marked as deleted: an entity
 * that moves to a page that was read already, because another one was deleted meanwhile, is missing from one reading but not from the next.
 */
async function readPart(context: EntityContext, part: ListPart): Promise<number> {
  let written = 0
  const read = async (untilEmpty: boolean): Promise<ListReading> => {
    const { pageSize, paging, path, query } = referenceEntity(part.name).listing!
    const listing = {
      path: part.parentId === null ? path : path.replace('{id}', encodeURIComponent(part.parentId)),
      query,
      paging,
      pageSize,
      endpoint: `reference ${part.name}`,
      untilEmpty,
    }
    return await readEntities(context.genesys, listing, context.options, async (entities) => {
      context.onProgress()
      written += (await writing(() => writePage(context, part, entities))).written
    })
  }
  const first = await read(false)
  let missing = await writing(() => selectMissing(context.db, part, first.ids))
  if (missing.length > 0 || isShort(first)) {
    const second = await read(true)
    if (isShort(second)) {
      throw badAnswer(
        { method: 'GET', path: referenceEntity(part.name).listing!.path },
        `the list says that it has ${second.total} entities and gave ${second.ids.size}`,
      )
    }
    missing = missing.filter((id) => !second.ids.has(id))
  }
  written += (await writing(() => markDeleted(context.db, part, missing))).written
  return written
}

function isShort({ ids, total }: ListReading): boolean {
  return total !== null && ids.size < total
}

/** Each of our statements gives the same when it is repeated. */
function writing<Result>(query: () => Promise<Result>): Promise<Result> {
  return recording('writing reference data', query)
}
