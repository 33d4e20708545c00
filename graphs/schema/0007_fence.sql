-- What a worker writes in one go carries its fence with it: if the run has been taken meanwhile, all of it fails.

CREATE FUNCTION fence(held text, latest bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM run WHERE id = held AND token = latest FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another worker has taken the run' USING ERRCODE = 'CS001';
    END IF;
END $$;
