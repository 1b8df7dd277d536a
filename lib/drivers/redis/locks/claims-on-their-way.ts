/** A claim that is made in steps. */
export interface ClaimOnItsWay {
  /** No further step is wanted. */
  givenUp: boolean;
  /** Resolves when the claim is answered, or cannot be. */
  settled: Promise<unknown>;
}

/** The claims that are on their way by more than one step, each known for as long as it is: a release of it must come after. */
export class ClaimsOnTheirWay {
  private readonly claims = new Map<string, ClaimOnItsWay>();

  of(token: string): ClaimOnItsWay | undefined {
    return this.claims.get(token);
  }

  /** Settles as `make` does. */
  async track<Answer>(token: string, make: (claim: ClaimOnItsWay) => Promise<Answer>): Promise<Answer> {
    const onItsWay: ClaimOnItsWay = { givenUp: false, settled: Promise.resolve() };
    const answer = make(onItsWay);
    onItsWay.settled = answer.catch(() => undefined);
    this.claims.set(token, onItsWay);
    try {
      return await answer;
    } finally {
      if (this.claims.get(token) === onItsWay) this.claims.delete(token);
    }
  }
}
