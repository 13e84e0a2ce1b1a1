"""What users tell, accept and prove before their first ride."""
