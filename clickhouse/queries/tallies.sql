SELECT law_id, oui_count, non_count
FROM scrutin.vote_results
ORDER BY law_id
