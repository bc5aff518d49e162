/** What is made at the first call and kept; a failure is not kept, so that the next call tries again. */
export function kept<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    if (made === undefined) {
      const mine = make();
      mine.catch(() => (made = made === mine ? undefined : made));
      made = mine;
    }
    return made;
  };
}
