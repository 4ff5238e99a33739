-- The count of every law, and its share of oui.
SELECT
    law_id,
    oui_count,
    non_count,
    oui_count + non_count AS ballots,
    round(100 * oui_count / ballots, 2) AS oui_percent,
    updated_at
FROM scrutin.vote_results
ORDER BY law_id
