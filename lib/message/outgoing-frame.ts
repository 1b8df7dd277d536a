import type { Frame } from './frame.js';

/** A frame on its way out. Successive ones of one source can travel as a run. */
export interface OutgoingFrame extends Frame {
  /**
   * Where the id comes from: it is the prefix with the number behind it. Undefined for an id that follows from nothing,
   * of printable ASCII characters.
   */
  readonly idPrefix: string | undefined;
  readonly idNumber: number;
  readonly bodyBytes: number;
}

/** A frame that is encoded already, and its id. */
export class EncodedFrame {
  constructor(
    readonly bytes: Uint8Array,
    readonly id: string,
  ) {}
}
