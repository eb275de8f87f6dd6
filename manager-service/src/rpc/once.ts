/** A stream ends in several ways that may come together; what it held is let go once. */
export function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
