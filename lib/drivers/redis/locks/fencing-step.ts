/** The fencing tokens after one that was granted are its holder's, up to this far: its process may pass the lock on with them. */
export const SPARE_FENCING_TOKENS = 16;

/** A grant's fencing token is at least so much larger than that of the grant before. */
export const FENCING_STEP = SPARE_FENCING_TOKENS + 1;
