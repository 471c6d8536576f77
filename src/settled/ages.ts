/** Until when conversations are read again. Pure. */

/** Up to this age open conversations are read again every night … */
export const NIGHTLY_UP_TO_DAYS = 30
/** … and up to this one every week; older ones are reported as stuck. */
export const STUCK_AFTER_DAYS = 180
/** What ended is read once more within so many days after it has settled. */
export const SETTLE_WITHIN_DAYS = 2
