-- Which node of its workflow carries an effect out: another one under the same approval is refused, not skipped.

ALTER TABLE effect ADD COLUMN step text NOT NULL DEFAULT '';  -- empty where an earlier release wrote it, and of an undo
