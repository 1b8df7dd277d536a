/** How bad something is, from the least. */
export const levels = ['ok', 'note', 'warning', 'problem'] as const;

export type Level = (typeof levels)[number];

/** Something that was looked at. */
export interface Finding {
  /** A fixed word. */
  readonly check: string;
  readonly level: Level;
  readonly topic?: string;
  readonly group?: string;
  /** What is so. */
  readonly text: string;
  /** What follows from it. */
  readonly meaning?: string;
  /** What mends it, in this order, ready for a shell. */
  readonly commands?: readonly string[];
}
