/** What the figures of reports are called on the pages, and how their values are written. */
import { type FigureName } from '../../reporting/report-request.ts'
import { clockText } from '../assets/clock.js'
import { markup, nothing, number, type Html } from './format.ts'

interface FigureText {
  readonly label: string
  /** Where columns are narrow. */
  readonly short?: string
  readonly format: (value: number) => string
}

/** 0.8749 → 87.5 %, rounded down, so that only all of them are 100 %. */
function exactPercent(share: number): string {
  return `${(Math.floor(share * 1000 + 1e-9) / 10).toFixed(1)}%`
}

export const FIGURES: Readonly<Record<FigureName, FigureText>> = {
  offered: { label: 'Offered', format: number },
  answered: { label: 'Answered', format: number },
  abandoned: { label: 'Abandoned', short: 'Aband.', format: number },
  abandon_rate: { label: 'Abandon rate', format: exactPercent },
  service_level: { label: 'Service level', short: 'SL', format: exactPercent },
  average_speed_of_answer_seconds: { label: 'Average speed of answer', short: 'ASA', format: clockText },
  average_handle_seconds: { label: 'Average handle time', short: 'AHT', format: clockText },
  average_talk_seconds: { label: 'Average talk', short: 'Talk', format: clockText },
  average_hold_seconds: { label: 'Average hold', short: 'Hold', format: clockText },
  average_acw_seconds: { label: 'Average after-call work', short: 'ACW', format: clockText },
  handled: { label: 'Handled', format: number },
  transferred: { label: 'Transferred', short: 'Transf.', format: number },
  transfer_rate: { label: 'Transfer rate', format: exactPercent },
}

/** A value as text; a dash where there is none. */
export function figureValue(name: FigureName, value: number | null | undefined): Html {
  return value === null || value === undefined ? nothing : markup`${FIGURES[name].format(value)}`
}

/** The heading of a figure: its short form, where it has one, with the long one for those who ask. */
export function figureHeading(name: FigureName): Html {
  const { label, short } = FIGURES[name]
  return short === undefined ? markup`${label}` : markup`<abbr title="${label}">${short}</abbr>`
}
